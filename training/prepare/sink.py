"""Where the rows go in the second pass: each to its own place, in memory or in shards on disk."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.prepare.reader import Stored


class Sink(Protocol):
    """Takes rows in any order."""

    def put(self, part: str, places: NDArray[np.int64], inputs: NDArray[Any]) -> None:
        """Store `inputs` (n, ...) at `places` (n,) of the part."""
        ...


class MemorySink:
    """One array for each part."""

    def __init__(self, stored: Stored, rows: Mapping[str, int]) -> None:
        self.inputs: dict[str, NDArray[Any]] = {
            part: np.empty((count, *stored.input.shape), stored.dtype) for part, count in rows.items()
        }

    def put(self, part: str, places: NDArray[np.int64], inputs: NDArray[Any]) -> None:
        """As Sink says."""
        self.inputs[part][places] = inputs
