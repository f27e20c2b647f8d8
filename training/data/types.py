"""What the rest of a job sees of its data: parts that are read window by window, whether in memory or from shards.

    data = load(channel, options, host)
    for window in data.train.plan(generator):    # one pass over the training part
        inputs, targets = window.read()          # nothing is read before this

Nothing here imports torch when it runs, so that the data step (python -m training.prepare) needs none of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inference import artifact

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True)
class Host:
    """Which of a job's hosts this is, and what of the channel it was given."""

    index: int = 0
    """From 0, in the order of resourceconfig.json's `hosts`."""
    count: int = 1
    sharded: bool = False
    """The channel's S3DistributionType is ShardedByS3Key: each host holds other objects. Otherwise all hold all."""


class Window(NamedTuple):
    """A stretch of one pass, not read yet."""

    rows: int
    read: "Callable[[], tuple[Tensor, Tensor]]"
    """Inputs (rows, ...) and targets (rows,), on the CPU. May raise DataError: a shard is checked when it is read."""


class Part(Protocol):
    """The training, validation or test part: `rows` examples on this host."""

    @property
    def rows(self) -> int:
        """Examples of one pass on this host."""
        ...

    @property
    def in_memory(self) -> bool:
        """True: windows are pieces of tensors that are held anyway. False: reading one reads its shards from disk."""
        ...

    def plan(self, generator: "Generator | None") -> list[Window]:
        """The windows of one pass; shuffled by draws from the CPU `generator`, in stored order with None.

        All draws happen here, none in `read`: the state of the generator after `plan` fits a checkpoint.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A channel, read: what one instance is, what the answers are called, and the rows of each part.

    Inputs: images uint8 or float32 (n, H, W) or (n, H, W, 3); text int32 (n, max_tokens), 0 padding, 1 unknown; tables
    float32 (n, columns), where a category is its index and a missing value NaN.
    Targets: class numbers int64 (n,); regression float32 (n,); image-generation int64 zeros (n,).
    """

    task: str
    input: artifact.InputSchema
    labels: tuple[str, ...]
    """Names of the classes, by class number; () where there are none."""
    train: Part
    validation: Part | None
    test: Part
    sha256: str
    """Of the content, the same on every host."""
    tokenizer: "artifact.Tokenizer | None" = None
    vocabulary: int = 0
    """Token ids, with padding and unknown; 0 unless text."""
    notes: tuple[str, ...] = ()
    """Sentences for the log: what was left out, and why."""
