"""What the pipeline wants of a kind of data (images, texts, tables): two passes over the rows, in one order."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from inference import artifact

UNREADABLE = "unreadable"
TOO_SMALL = "too small"
NO_LABEL = "no label"
NO_TEXT = "no text"
OTHER_CLASS = "not among --classes"
DUPLICATE = "duplicate"
TWO_CLASSES = "the same content in two classes"
DIGEST_BYTES = 16  # two different rows among 10**9 have the same by chance once in 10**20 times


def digest(*parts: str | bytes) -> bytes:
    """DIGEST_BYTES of a hash over all parts."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(len(data).to_bytes(8, "little") + data)
    return found.digest()


class Seen(NamedTuple):
    """One row in the first pass."""

    content: bytes = b""
    """Digest of what the model would see; rows with the same are the same."""
    label: str = ""
    """Name of the class; empty where there are none."""
    value: float = 0.0
    """What is predicted in a regression."""
    group: bytes = b""
    """Digest of the key of the rows that belong into one part; empty: of the content."""
    part: str = ""
    """train, validation or test where the source says so."""
    problem: str = ""
    """One of the reasons above: the row is left out."""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """How the rows are stored, known after the first pass."""

    input: artifact.InputSchema
    dtype: str
    vocabulary: int = 0
    target: str = ""
    tokenizer: artifact.Tokenizer | None = None


class Reader(Protocol):
    """Rows are numbered from 0 in the order of the passes, which is the same in both."""

    def scan(self) -> Iterator[Seen]:
        """The first pass: every row."""
        ...

    def name(self, number: int) -> str:
        """Of a row that has been scanned: where it is, without a folder of this machine."""
        ...

    def settle(self, kept: NDArray[np.bool_], train: NDArray[np.bool_]) -> Stored:
        """How the rows that are `kept` will be stored; those in `train` may be learnt from. Raises DataError."""
        ...

    def read(self, kept: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
        """The second pass: numbers (n,) and inputs (n, ...) of the rows that are `kept`, some at a time."""
        ...
