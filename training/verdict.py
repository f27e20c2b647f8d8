"""What a trained model is worth: its outputs on the test part, the metrics, the gate, and what the report shows.

Nothing here knows how the model was trained: a network's programs and a scikit-learn estimator end up as the same
`Judged` arrays.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.artifact import GateVerdict
from training.baseline import compare
from training.batches import in_order
from training.config import TrainingConfig
from training.data.types import DataSet
from training.environment import JobPaths
from training.quality import (
    PairedTest,
    Pictures,
    Quality,
    ReportData,
    evaluate,
    example_ids,
    gate,
    hardest_cases,
    judge,
    metrics_document,
    to_pixels,
)
from training.quality.document import MAX_EXAMPLES
from training.shown import Shower

ROWS_AT_ONCE = 512
PICTURES = 12
GENERATION = "image-generation"
Report = Callable[[str], None]
Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Outputs of the served form on the test part, as training.quality.evaluate takes them, and the targets."""

    outputs: Array
    targets: Array


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Everything known about a trained model before it leaves the job."""

    quality: Quality
    gate: GateVerdict
    baseline: PairedTest | None
    judged: Judged

    @property
    def refusal(self) -> str:
        """Why the gate refused; for FailureReason."""
        return gate.refusal(self.gate, self.baseline)


def reach(config: TrainingConfig, data: DataSet, paths: JobPaths, judged: Judged, report: Report) -> Verdict:
    """Measure, compare with what is served, judge; each step is one line of the log."""
    outputs = judged.outputs if judged.outputs.ndim > 1 or data.task == GENERATION else judged.outputs[:, None]
    judged = Judged(outputs=outputs, targets=judged.targets)
    quality = evaluate(data.task, outputs, judged.targets, data.labels)
    report(quality.log_line())
    baseline = compare(paths.baseline, data, quality, report)
    if baseline is not None:
        report(baseline.log_line(config.gate.baseline_significance))
    found = judge(quality, config.gate, baseline)
    report(gate.log_line(found))
    return Verdict(quality=quality, gate=found, baseline=baseline, judged=judged)


def write_metrics(
    paths: JobPaths,
    config: TrainingConfig,
    data: DataSet,
    verdict: Verdict,
    history: Sequence[Mapping[str, float]],
    seconds: Mapping[str, float],
) -> None:
    """metrics.json in the job's output."""
    document = metrics_document(
        verdict.quality,
        verdict.gate,
        baseline=verdict.baseline,
        history=history,
        seconds=seconds,
        settings=config.flat(),
        ids=_ids(data, verdict.judged.targets),
    )
    paths.output_data.mkdir(parents=True, exist_ok=True)
    (paths.output_data / "metrics.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _ids(data: DataSet, targets: Array) -> Array:
    """Of the first test examples, as many as a comparison takes; a large test part is never in memory whole."""
    parts, start = [], 0
    for rows, _ in in_order(data.test, ROWS_AT_ONCE):
        parts.append(example_ids(rows.numpy(), targets[start : start + len(rows)]))
        start += len(rows)
        if start >= MAX_EXAMPLES:
            break
    return np.concatenate(parts)[:MAX_EXAMPLES]


def report_data(
    config: TrainingConfig,
    data: DataSet,
    verdict: Verdict,
    history: Sequence[Mapping[str, float]],
    seconds: Mapping[str, float],
    pictures: Pictures | None,
) -> ReportData:
    """What the report shows, of plain arrays and strings."""
    judged = verdict.judged
    return ReportData(
        title=f"{config.model.model}, {data.task}",
        quality=verdict.quality,
        verdict=verdict.gate,
        baseline=verdict.baseline,
        history=[dict(point) for point in history],
        cases=hardest_cases(data.task, judged.outputs, judged.targets, data.labels, Shower(data)),
        pictures=pictures,
        settings=config.flat(),
        facts={
            "training examples": data.train.rows,
            "validation examples": data.validation.rows if data.validation else 0,
            "test examples": data.test.rows,
            "input": f"{data.input.kind} {list(data.input.shape)}",
            "sha256": data.sha256,
        },
        seconds=seconds,
    )


@torch.no_grad()
def pictures(programs: Mapping[str, nn.Module], data: DataSet, latent: int) -> Pictures | None:
    """Test images, their reconstructions and images of random codes, for a generator; None for the other tasks."""
    if data.task != GENERATION:
        return None
    originals = next(in_order(data.test, PICTURES))[0]
    codes = torch.randn(PICTURES, latent, generator=torch.Generator().manual_seed(0))
    decode = programs["decode"]

    def shown(images: Tensor) -> Array:
        return to_pixels(images.numpy(), *data.input.value_range)

    return Pictures(
        originals=shown(originals),
        reconstructions=shown(decode(programs["encode"](originals))),
        samples=shown(decode(codes)),
    )
