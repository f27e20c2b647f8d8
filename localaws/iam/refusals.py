"""How each protocol says no: codes, statuses and forms on which AWS's clients decide what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from localaws import wire
from localaws.errors import AwsError
from localaws.iam.actions import BY_CLIENT
from localaws.iam.requests import FORM, SIGNING_NAMES
from localaws.wire import Answer

INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A refusal's code and status by protocol."""

    json: tuple[str, int]
    rest: tuple[str, int]
    query: tuple[str, int]
    s3: tuple[str, int]


DENIED = Reason(
    json=("AccessDeniedException", 400),
    rest=("AccessDeniedException", 403),
    query=("AccessDenied", 403),
    s3=("AccessDenied", 403),
)
UNKNOWN_KEY = Reason(
    json=("UnrecognizedClientException", 400),
    rest=("UnrecognizedClientException", 403),
    query=("InvalidClientTokenId", 403),
    s3=("InvalidAccessKeyId", 403),
)
EXPIRED_KEY = Reason(
    json=("ExpiredTokenException", 400),
    rest=("ExpiredTokenException", 403),
    query=("ExpiredToken", 403),
    s3=("ExpiredToken", 400),
)


def answer(environ: Mapping[str, Any], service: str, reason: Reason, message: str) -> Answer:
    """The refusal of a request; `service` as its signature calls it."""
    own = BY_CLIENT.get(SIGNING_NAMES.get(service, service))
    special = own.denied if own is not None and reason is DENIED else ""
    if environ.get("HTTP_X_AMZ_TARGET"):
        code, status = reason.json
        return _json(AwsError(special or code, message, status=status), wire.JSON_1_1)
    if service == "s3":
        code, status = reason.s3
        found = wire.xml_failure(AwsError(code, message, status=status), wrapped=False)
        # An answer to HEAD has no body; clients go by its status.
        return (status, found[1], b"") if environ["REQUEST_METHOD"] == "HEAD" else found
    if environ.get("CONTENT_TYPE", "").startswith(FORM) or "Action=" in environ.get("QUERY_STRING", ""):
        code, status = reason.query
        error = AwsError(special or code, message, status=status)
        return _ec2(error) if service == "ec2" else wire.xml_failure(error, wrapped=True)
    code, status = reason.rest
    return _json(AwsError(special or code, message, status=status), wire.REST_JSON)


def _json(error: AwsError, content_type: str) -> Answer:
    status, headers, body = wire.failure(error, content_type)
    # Services that were query services once: clients take the code from here.
    return status, [*headers, ("x-amzn-query-error", f"{error.code};Sender")], body


def _ec2(error: AwsError) -> Answer:
    fields = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
    body = f"<Response><Errors><Error>{fields}</Error></Errors><RequestID>{uuid4()}</RequestID></Response>"
    return error.status, [("Content-Type", "text/xml")], body.encode()
