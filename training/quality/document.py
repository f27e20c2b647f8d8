"""metrics.json: everything that was measured in a run, for programs. The report is the same for people.

    document = metrics_document(quality, verdict, baseline=None, history=history, seconds=..., settings=..., ids=...)

Format 2, one JSON object:

- `format` 2; `task`; `examples`: size of the test part
- `test_<metric>`, `test_<metric>_low`, `test_<metric>_high`: value and 95% interval (null: unknown); names by task in
  training/quality/evaluation.py
- `labels`: [name, ...]; [] for regression and generation. Of classifications also:
  - `per_class`: name -> {precision, recall, f1, auc (null: undefined), support, and precision_low, precision_high,
    recall_low, recall_high (null: never called, no examples)}
  - `confusion`: [[count]], row = true class, column = called class, in the order of `labels`; null above 100 classes
  - `most_confused`: [[true, called, count], ...], the 50 commonest mistakes as places in `labels`
  - `calibration`: {count, score, right}: one entry for each of 15 bins of the called class's score; null: empty bin
- `notes`: [sentence, ...] on how something was measured
- `gate`: {passed, checks: [{metric, rule, value, limit, passed}, ...]}
- `baseline`: null, or the paired test against the served model: {metric, n, ours, theirs, ours_better, theirs_better,
  difference, difference_low, difference_high, p_value, method}
- `history`: [{step, epoch, loss, learning_rate, validation_<metric>, ...}, ...], as it was logged
- `settings`: hyperparameter -> value; `seconds`: phase -> seconds
- `test_examples`: for a comparison of two runs pair by pair, of the first 100,000 examples of the test part:
  - `sha256`: of the ids; equal in two runs: the same examples in the same order
  - `ids`: base64 of little-endian uint64, one for each; equal ids: the same example (see `example_ids`)
  - `correct`: classifications: base64 of bits, first example in the highest bit of the first byte, 1 = called right
  - `errors`: regression (squared error) and generation (as measured): base64 of little-endian float32
"""

import base64
import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.artifact import GateVerdict
from training.quality.classification import ClassTable, most_confused
from training.quality.intervals import Array
from training.quality.paired import PairedTest
from training.quality.record import Quality

FORMAT = 2
MAX_CONFUSION_CLASSES = 100
MOST_CONFUSED = 50
MAX_EXAMPLES = 100_000  # 1.1 MB of ids


def metrics_document(
    quality: Quality,
    verdict: GateVerdict,
    *,
    baseline: PairedTest | None,
    history: Sequence[Mapping[str, float]],
    seconds: Mapping[str, float],
    settings: Mapping[str, Any],
    ids: Array,
) -> dict[str, Any]:
    """The content of metrics.json, of plain JSON values without NaN; `ids` uint64 (N,) come from `example_ids`."""
    return {
        "format": FORMAT,
        "task": quality.task,
        "examples": quality.examples,
        **quality.as_dict(),
        "labels": list(quality.labels),
        **_of_classes(quality),
        "notes": list(quality.notes),
        "gate": dataclasses.asdict(verdict),
        "baseline": None if baseline is None else _baseline(baseline),
        "history": [{name: _number(value) for name, value in point.items()} for point in history],
        "settings": dict(settings),
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "test_examples": _test_examples(quality, ids),
    }


def example_ids(inputs: Array, targets: Array) -> Array:
    """uint64 (min(N, 100,000),): 8 bytes of BLAKE2b over the bytes of each input and its target, both C-ordered.

    Two examples with the same content have the same id; a comparison matches them in their order.
    """
    count = min(len(inputs), MAX_EXAMPLES)
    digests = (
        hashlib.blake2b(row.tobytes() + target.tobytes(), digest_size=8).digest()
        for row, target in zip(inputs[:count], targets[:count], strict=True)
    )
    return np.frombuffer(b"".join(digests), dtype="<u8")


def _of_classes(quality: Quality) -> dict[str, Any]:
    bins = quality.calibration
    if quality.classes is None or bins is None:
        return {}
    calibration = {"count": _list(bins.count), "score": _list(bins.score), "right": _list(bins.right)}
    return {**_classes(quality.classes, quality.labels), "calibration": calibration}


def _classes(table: ClassTable, labels: tuple[str, ...]) -> dict[str, Any]:
    precision, recall = table.precision_interval(), table.recall_interval()
    columns = {
        "precision": table.precision,
        "precision_low": precision[0],
        "precision_high": precision[1],
        "recall": table.recall,
        "recall_low": recall[0],
        "recall_high": recall[1],
        "f1": table.f1,
        "auc": table.auc,
        "support": table.support,
    }
    lists = {name: _list(column) for name, column in columns.items()}
    small = len(labels) <= MAX_CONFUSION_CLASSES
    return {
        "per_class": {label: {name: lists[name][row] for name in lists} for row, label in enumerate(labels)},
        "confusion": table.confusion.tolist() if small else None,
        "most_confused": [list(cell) for cell in most_confused(table.confusion, MOST_CONFUSED)],
    }


def _baseline(test: PairedTest) -> dict[str, Any]:
    found = dataclasses.asdict(test)
    interval = found.pop("difference")
    ends = {"": interval["value"], "_low": interval["low"], "_high": interval["high"]}
    return found | {f"difference{end}": value for end, value in ends.items()}


def _test_examples(quality: Quality, ids: Array) -> dict[str, Any]:
    count = min(quality.examples, MAX_EXAMPLES)
    if len(ids) != count:
        raise ValueError(f"{len(ids)} ids for {quality.examples} test examples; expected {count}, from example_ids")
    raw = np.ascontiguousarray(ids, dtype="<u8").tobytes()
    found = {"sha256": hashlib.sha256(raw).hexdigest(), "ids": _base64(raw)}
    values = quality.per_example[:count]
    if values.dtype == np.bool_:
        return found | {"correct": _base64(np.packbits(values).tobytes())}
    return found | {"errors": _base64(values.astype("<f4").tobytes())}


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _list(values: Array) -> list[Any]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
