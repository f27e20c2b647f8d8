"""From a trained model to the artifact in /opt/ml/model, proven by loading it and running it."""

import hashlib
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from inference import artifact
from training.data import IMAGE_SHAPE, LABELS, PIXEL_MAXIMUM, PIXEL_MINIMUM, Digits
from training.evaluate import Evaluation
from training.exporter import Exporter, ExportError
from training.models import PIXEL_SCALE

EXAMPLES = 8
PARITY_TOLERANCE = 1e-5  # largest difference of a score: float32 kernels may sum in another order
SOURCE_SUFFIX = "*.py"


def publish(
    folder: Path,
    model: nn.Module,
    digits: Digits,
    scores: Tensor,
    evaluation: Evaluation,
    verdict: artifact.GateVerdict,
    exporter: Exporter,
) -> artifact.Artifact:
    """Write the artifact into `folder`, load it, and compare its scores with `scores` (float32 (N, classes), CPU).

    Raises ExportError, with the folder cleaned, where they differ by more than PARITY_TOLERANCE.
    """
    manifest = _manifest(digits, scores, evaluation, verdict)
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        program = Path(scratch) / artifact.MODEL_NAME
        exporter.export(model.state_dict(), program)
        written = artifact.write(folder, manifest, {artifact.MODEL_NAME: program})
    with torch.inference_mode():
        difference = float((written.program()(digits.test_images) - scores).abs().max())
    if not difference <= PARITY_TOLERANCE:
        artifact.remove(folder)
        raise ExportError(f"the exported program's scores differ by {difference:g}, allowed is {PARITY_TOLERANCE:g}")
    return written


def source_sha256() -> str:
    """One hash over the sources that decide what is trained and how it is stored."""
    training = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*training.glob(SOURCE_SUFFIX), *Path(artifact.__file__).parent.glob(SOURCE_SUFFIX)]):
        digest.update(f"{path.parent.name}/{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _manifest(
    digits: Digits, scores: Tensor, evaluation: Evaluation, verdict: artifact.GateVerdict
) -> artifact.Manifest:
    return artifact.Manifest(
        task="image-classification",
        model=artifact.MODEL_NAME,
        input=artifact.InputSchema(
            name="image", dtype="float32", shape=IMAGE_SHAPE, minimum=PIXEL_MINIMUM, maximum=PIXEL_MAXIMUM
        ),
        labels=LABELS,
        preprocessing={"scale": PIXEL_SCALE, "offset": 0.0},
        metrics={"test_accuracy": evaluation.accuracy, "test_loss": evaluation.loss},
        gate=verdict,
        code_sha256=source_sha256(),
        data_sha256=digits.sha256,
        versions={"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        examples=tuple(_example(digits, scores, row) for row in _spread(digits.test_targets)),
        files={},
    )


def _spread(targets: Tensor) -> list[int]:
    """The first test image of each of the first EXAMPLES classes that occur."""
    present = torch.unique(targets)[:EXAMPLES].tolist()
    return [int((targets == label).nonzero()[0]) for label in present]


def _example(digits: Digits, scores: Tensor, row: int) -> artifact.Example:
    best = int(scores[row].argmax())
    return artifact.Example(
        instance=digits.test_images[row].tolist(),
        target=LABELS[int(digits.test_targets[row])],
        prediction=artifact.Prediction(label=LABELS[best], score=float(scores[row, best])),
    )
