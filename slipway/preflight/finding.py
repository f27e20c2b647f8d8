"""One thing that was looked at before a change: what was found, what is needed, and what mends it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

Level = Literal["ok", "warning", "problem"]
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem would stop the change, or a person has to decide it; a warning may. `mend` is a command, or words."""

    check: str
    level: Level
    found: str
    needed: str = ""
    mend: str = ""


class UnknownError(Exception):
    """AWS does not tell; the text says why, `mend` what would make it tell."""

    def __init__(self, why: str, mend: str = "") -> None:
        super().__init__(why)
        self.mend = mend


@contextmanager
def asking(what: str, permission: str) -> Iterator[None]:
    """A refusal or failure of AWS inside becomes UnknownError: nobody can tell, which is no problem of the change."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in DENIED:
            raise UnknownError(f"{what}: not allowed to look", f"allow {permission}") from error
        raise UnknownError(f"{what}: {error.response['Error']['Message']}") from error
    except BotoCoreError as error:
        raise UnknownError(f"{what}: {error}") from error


def unknown(check: str, error: UnknownError) -> Finding:
    return Finding(check=check, level="warning", found=f"cannot tell: {error}", mend=error.mend)


def worst(findings: Iterable[Finding]) -> Level:
    """The level of them all."""
    levels = {finding.level for finding in findings}
    return "problem" if "problem" in levels else "warning" if "warning" in levels else "ok"
