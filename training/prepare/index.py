"""The index: what is noted of each row in the first pass, about 50 bytes, and of the rows that are left out."""

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.data.channel import PARTS
from training.prepare.reader import DIGEST_BYTES, OTHER_CLASS, Reader, Seen

EXAMPLES = 5  # of each reason, in the report
OUT = -1
NO_DIGEST = bytes(DIGEST_BYTES)
_NUMBER = re.compile(r"([0-9]+)")
Digests = NDArray[np.void]


def natural(name: str) -> list[str | int]:
    """Sorts names as people do: row 2 before row 10."""
    return [int(word) if place % 2 else word for place, word in enumerate(_NUMBER.split(name))]


@dataclass(kw_only=True)
class Dropped:
    """Rows left out for one reason."""

    count: int = 0
    examples: list[str] = field(default_factory=list)
    """The first EXAMPLES by name."""

    def add(self, example: str) -> None:
        """Count one row more."""
        self.count += 1
        if len(self.examples) < EXAMPLES or natural(example) < natural(self.examples[-1]):
            self.examples = sorted([*self.examples, example], key=natural)[:EXAMPLES]


@dataclass(kw_only=True)
class Index:
    """One entry a row of the source, kept or not."""

    content: Digests
    group: Digests
    codes: NDArray[np.int32]
    """Class numbers in `labels`."""
    values: NDArray[np.float32]
    given: NDArray[np.int8]
    """Number of the part in PARTS that the source says, or OUT."""
    kept: NDArray[np.bool_]
    labels: tuple[str, ...]
    dropped: dict[str, Dropped]


def build(reader: Reader, classes: tuple[str, ...], rows: Iterable[Seen]) -> Index:
    """Consume the first pass. Rows of classes that are not among `classes` (unless empty) are not kept."""
    content, group = bytearray(), bytearray()
    codes, values, given, kept = array("i"), array("f"), array("b"), array("b")
    numbers: dict[str, int] = {name: number for number, name in enumerate(classes)}
    dropped: dict[str, Dropped] = {}
    for number, row in enumerate(rows):
        if not row.problem and classes and row.label not in numbers:
            row = Seen(problem=OTHER_CLASS, detail=row.label)
        if row.problem:
            name = reader.name(number)
            dropped.setdefault(row.problem, Dropped()).add(f"{name} ({row.detail})" if row.detail else name)
        content += row.content or NO_DIGEST
        group += row.group or row.content or NO_DIGEST
        codes.append(OUT if row.problem else numbers.setdefault(row.label, len(numbers)))
        values.append(row.value)
        given.append(PARTS.index(row.part) if row.part else OUT)
        kept.append(not row.problem)
    return Index(
        content=np.frombuffer(content, f"V{DIGEST_BYTES}"),
        group=np.frombuffer(group, f"V{DIGEST_BYTES}"),
        codes=np.frombuffer(codes, np.int32),
        values=np.frombuffer(values, np.float32),
        given=np.frombuffer(given, np.int8),
        kept=np.frombuffer(kept, np.int8).astype(np.bool_),
        labels=tuple(numbers),
        dropped=dropped,
    )
