"""The manifest's examples: held-out instances with the answers of the very program that is served.

A server proves itself on them before it answers, so they are chosen where another machine's rounding cannot turn the
label: of each class the first whose two best scores are further apart than the form may differ.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference import artifact
from training.data.types import DataSet
from training.export.rows import Rows, Words, as_json

REGRESSION = "tabular-regression"
MAX_EXAMPLES = 8
MAX_VALUES = 400_000  # in all examples together; a manifest of many large images would be too long to read


def collect(
    data: DataSet, rows: Rows, outputs: NDArray[np.float32], tolerance: float
) -> tuple[list[int], tuple[artifact.Example, ...]]:
    """Row numbers and examples: one of each of the first MAX_EXAMPLES classes, or the first rows where there are none.

    `outputs` (n, ...) are those of the served `predict` or `encode`. Fewer examples where instances are large.
    """
    words = Words(data.tokenizer) if data.tokenizer is not None else None
    chosen: dict[int, artifact.Example] = {}
    for candidates in _candidates(data, rows, outputs, tolerance):
        for row in candidates:
            instance = as_json(rows.inputs[row], data.input, words)
            if instance is not None:
                target, answer = _target(data, rows.targets[row]), prediction(data, outputs[row])
                chosen[row] = artifact.Example(instance=instance, target=target, prediction=answer)
                break
    return list(chosen), tuple(chosen.values())


def prediction(data: DataSet, output: NDArray[np.float32]) -> artifact.Prediction:
    """The answer that a server gives for one output of `predict` or `encode`."""
    if data.labels:
        best = int(output.argmax())
        return artifact.Prediction(label=data.labels[best], score=float(output[best]))
    if data.task == REGRESSION:
        return artifact.Prediction(value=float(output[0]))
    return artifact.Prediction(latent=tuple(output.tolist()))


def _candidates(data: DataSet, rows: Rows, outputs: NDArray[np.float32], tolerance: float) -> Iterator[list[int]]:
    """For each example the rows that it may be, the best first."""
    count = max(1, min(MAX_EXAMPLES, MAX_VALUES // data.input.size))
    if not data.labels:
        yield from ([row] for row in range(min(count, len(outputs))))
        return
    best_two = np.sort(outputs, axis=1)[:, -2:]
    in_doubt = best_two[:, 1] - best_two[:, 0] <= 2 * tolerance
    for number in np.unique(rows.targets)[:count]:
        of_class = np.flatnonzero(rows.targets == number)
        yield of_class[np.argsort(in_doubt[of_class], kind="stable")].tolist()


def _target(data: DataSet, target: Any) -> str | float | None:
    if data.labels:
        return data.labels[int(target)]
    return float(target) if data.task == REGRESSION else None
