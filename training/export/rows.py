"""A bounded number of rows of a part, and a row as the JSON that a client would send.

    held_out = spread(data.test)          # for the parity check and the manifest's examples
    as_json(held_out.inputs[0], data.input, Words(data.tokenizer))

Rows are taken evenly from a part in memory, where the stored order may go class by class, and from the first shards of
a streamed part, whose rows `python -m training.prepare` has shuffled.
"""

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from inference import artifact
from training.data.types import Part

MAX_ROWS = 512
MAX_BYTES = 16 * 2**20  # of a program's input; large images also take long to compute
BYTES_PER_VALUE = 4
MIN_ROWS = 8
DTYPES = {"float32": torch.float32, "int64": torch.int64}
PADDING, UNKNOWN = 0, 1  # token ids, as inference.artifact.Tokenizer gives them
NOT_A_WORD = "\ufffd"  # Unicode's sign for what could not be read; no keyboard types it


@dataclass(frozen=True, kw_only=True)
class Rows:
    """`inputs` (n, ...) as the part holds them and `targets` (n,)."""

    inputs: Tensor
    targets: NDArray[Any]

    def batch(self, schema: artifact.InputSchema) -> NDArray[Any]:
        """The inputs as a program takes them: float32 or int64 (n, *schema.shape)."""
        return self.inputs.to(DTYPES[schema.dtype]).numpy()


def spread(part: Part, schema: artifact.InputSchema, max_rows: int = MAX_ROWS) -> Rows:
    """At most `max_rows` rows of `part`, fewer where they are large, at least MIN_ROWS where it has as many."""
    # Attention compares each token with each other one.
    row_bytes = schema.size * (schema.size if schema.kind == "text" else 1) * BYTES_PER_VALUE
    count = min(part.rows, max(MIN_ROWS, min(max_rows, MAX_BYTES // row_bytes)))
    step = part.rows / count if part.in_memory else 1.0
    wanted = [math.floor(number * step) for number in range(count)]
    inputs, targets, first = [], [], 0
    for window in part.plan(None):
        here = [row - first for row in wanted if first <= row < first + window.rows]
        if here:
            window_inputs, window_targets = window.read()
            inputs.append(window_inputs[here])
            targets.append(window_targets[here])
        first += window.rows
    return Rows(inputs=torch.cat(inputs), targets=torch.cat(targets).numpy())


class Words:
    """The words of token ids; a text of them, one space between, is encoded to these ids again."""

    def __init__(self, tokenizer: artifact.Tokenizer) -> None:
        self._tokenizer = tokenizer
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / artifact.TOKENIZER_NAME
            tokenizer.save(path)
            vocabulary: dict[str, int] = json.loads(path.read_bytes())["model"]["vocab"]
        self._words = {number: word for word, number in vocabulary.items()}

    def text(self, ids: NDArray[Any]) -> str | None:
        """The text of `ids` (max_tokens,), or None where no such text gives these ids (words of enormous length)."""
        words = (
            NOT_A_WORD if number == UNKNOWN else self._words[number] for number in ids.tolist() if number != PADDING
        )
        text = " ".join(words)
        return text if (self._tokenizer.encode([text], len(ids))[0] == ids).all() else None


def as_json(row: Tensor, schema: artifact.InputSchema, words: Words | None) -> Any:
    """The instance that a client would send for `row`; None for a text that cannot be sent."""
    if schema.kind == "text":
        assert words is not None, "a text has a tokenizer"
        return words.text(row.numpy())
    if schema.kind == "image":
        return row.tolist()
    return {column.name: _cell(value, column) for column, value in zip(schema.columns, row.tolist(), strict=True)}


def _cell(value: float, column: artifact.Column) -> float | str | None:
    if math.isnan(value):
        return None
    return column.categories[int(value)] if column.categories else value
