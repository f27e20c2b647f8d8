"""Who signed a request, for which region and service: from the Authorization header or a presigned URL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

DEFAULT_REGION = "us-east-1"
_V4 = re.compile(r"Credential=([^/,&]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_V2 = re.compile(r"^AWS ([^:]+):|[?&]?AWSAccessKeyId=([^&]+)")


@dataclass(frozen=True, kw_only=True)
class Signature:
    """`key` is the access key's id, "" for an unsigned request; `service` as the signature calls it, for example s3."""

    key: str = ""
    region: str = DEFAULT_REGION
    service: str = ""


UNSIGNED = Signature()


def read(environ: Mapping[str, Any]) -> Signature:
    """The signature's names; nobody checks it, for nobody here has a secret to keep."""
    header, query = environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", "")
    if not header and "Credential=" not in query and "AWSAccessKeyId=" not in query:
        return UNSIGNED
    text = header or unquote(query)
    found = _V4.search(text)
    if found:
        return Signature(key=found[1], region=found[2], service=found[3])
    old = _V2.search(text)  # of the older signatures only S3's are in use
    return Signature(key=old[1] or old[2], service="s3") if old else UNSIGNED
