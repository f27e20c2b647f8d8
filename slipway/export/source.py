"""Where a pod's model comes from: an archive that an init container fetches, or a volume that holds it unpacked."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

ALLOWED = "s3://BUCKET/KEY.tar.gz, https://HOST/PATH.tar.gz, or pvc://CLAIM/FOLDER of an unpacked model"
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
CLAIM = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Source:
    """`kind` is s3, https or pvc. `claim` and `folder` are of a pvc only."""

    uri: str
    kind: str
    claim: str = ""
    folder: str = ""

    @property
    def fetched(self) -> bool:
        """Whether each pod fetches it before it starts."""
        return self.kind != "pvc"


def source(text: str) -> Source:
    """Raises ValueError with what is allowed."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(ALLOWED) from None
    path = parts.path.strip("/")
    archive = path.endswith(".tar.gz") and not any(char.isspace() for char in text)
    if parts.scheme == "s3" and archive and BUCKET.fullmatch(parts.netloc):
        return Source(uri=text, kind="s3")
    if parts.scheme == "https" and archive and parts.hostname and not parts.username:
        return Source(uri=text, kind="https")
    safe = re.fullmatch(r"[\w./-]*", path) and ".." not in path.split("/")
    if parts.scheme == "pvc" and CLAIM.fullmatch(parts.netloc) and safe:
        return Source(uri=text, kind="pvc", claim=parts.netloc, folder=path)
    raise ValueError(ALLOWED)
