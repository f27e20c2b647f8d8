"""Reading a JSON object strictly: every complaint names the field, what was found, what is expected and what to do."""

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

RETRAIN = "train again with this release, or serve with the release that wrote it"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ArtifactError(Exception):
    """The folder is not an artifact that may be served; the message says why and what to do."""


class Fields:
    """A JSON object with its path, so that every complaint names the field."""

    def __init__(self, path: str, value: object) -> None:
        if not isinstance(value, dict):
            raise ArtifactError(f"{path} is a {type(value).__name__}; expected an object; {RETRAIN}")
        self.path, self.value = path, value

    def wrong(self, key: str, found: object, expected: str) -> ArtifactError:
        """The complaint about `key`, to be raised."""
        return ArtifactError(f"{self.path}.{key} is {found!r:.200}; expected {expected}; {RETRAIN}")

    def get(self, key: str, kind: type | tuple[type, ...]) -> Any:
        """The value of `key`, of one of the kinds; a bool is no int."""
        if key not in self.value:
            raise ArtifactError(f"{self.path}.{key} is missing; {RETRAIN}")
        value = self.value[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            names = [k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,))]
            raise self.wrong(key, value, " or ".join(names))
        return value

    def nothing(self, key: str, empty: object, reason: str) -> None:
        """`key` must be there and hold `empty`, because of `reason`."""
        value = self.get(key, object)
        if value != empty or type(value) is not type(empty):
            raise self.wrong(key, value, f"{empty!r}: {reason}")

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """A string out of `allowed`."""
        value: str = self.get(key, str)
        if value not in allowed:
            raise self.wrong(key, value, f"one of {list(allowed)}")
        return value

    def number(self, key: str, minimum: float = -math.inf, maximum: float = math.inf) -> float:
        """A finite number from `minimum` to `maximum`."""
        value = self.get(key, (int, float))
        if isinstance(value, bool) or not _finite(value) or not minimum <= value <= maximum:
            limits = "" if minimum == -math.inf else f" of at least {minimum:g}"
            limits += "" if maximum == math.inf else f" and at most {maximum:g}"
            raise self.wrong(key, value, f"a finite number{limits}")
        return float(value)

    def count(self, key: str, minimum: int, maximum: int) -> int:
        """A whole number from `minimum` to `maximum`."""
        value: int = self.get(key, int)
        if not minimum <= value <= maximum:
            raise self.wrong(key, value, f"a whole number from {minimum} to {maximum}")
        return value

    def sha256(self, key: str) -> str:
        """A content hash in hex."""
        value: str = self.get(key, str)
        if not _SHA256.fullmatch(value):
            raise self.wrong(key, value, "64 lower-case hex digits")
        return value

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        value: list[Any] = self.get(key, list)
        return value

    def strings(self, key: str) -> list[str]:
        """A list of strings."""
        value = self.items(key)
        if not all(isinstance(item, str) for item in value):
            raise self.wrong(key, value, "a list of strings")
        return value

    def fields(self, key: str) -> "Fields":
        """The object at `key`."""
        return Fields(f"{self.path}.{key}", self.get(key, dict))

    def mapping(self, key: str, read: "Callable[[Fields, str], T]") -> dict[str, T]:
        """Every key of the object at `key`, each value read by `read`."""
        inner = self.fields(key)
        return {name: read(inner, name) for name in inner.value}


def _finite(value: float) -> bool:
    """Whether `value` is finite as a float; JSON's whole numbers have no end."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
