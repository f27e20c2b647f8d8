"""The proof that a loaded model is the recorded one: it answers the manifest's examples as it did when it was made."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.artifact import Artifact, Prediction, Tokenizer
from inference.engines.engine import Engine
from inference.formats.decode import Batch, batch_of
from inference.manifests.fields import ArtifactError
from inference.manifests.records import CLASSIFICATIONS, GENERATION, REGRESSION

# Another CPU's kernels may sum in another order; a wrong model is off by far more. bf16 and int8 programs are allowed
# what their export was found to differ by. Relative to the recorded number where that is above 1.
LEAST_TOLERANCE = 1e-3
ADVICE = "another model or torch made the artifact; train it again"


def prove(engine: Engine, artifact: Artifact, tokenizer: Tokenizer | None = None) -> dict[str, float]:
    """Answer every example and compare with what was recorded; the seconds of each program's fastest call come back.

    Texts need their `tokenizer`. Raises ArtifactError naming the example and the field that differs.
    """
    manifest = artifact.manifest
    main = "encode" if manifest.task == GENERATION else "predict"
    seconds = dict.fromkeys(manifest.programs, float("inf"))
    tolerance = _tolerance(artifact, main)
    for number, example in enumerate(manifest.examples):
        place = f"example {number}"
        batch = batch_of([example.instance], manifest.input, tokenizer)
        outputs = _timed(engine, main, batch, seconds)
        _check_shape(outputs, _width(artifact), place)
        _compare(outputs[0], example.prediction, manifest.labels, tolerance, place)
        if manifest.task == GENERATION:
            images = _timed(engine, "decode", outputs, seconds)
            _check_shape(images, manifest.input.shape, f"{place}, decoded")
    return seconds


def _timed(engine: Engine, program: str, batch: Batch, seconds: dict[str, float]) -> NDArray[np.float32]:
    started = time.perf_counter()
    try:
        outputs = engine.run(program, batch)
    except Exception as error:  # whatever an engine raises on its own example, this model cannot serve
        raise ArtifactError(
            f"the program {program!r} fails on an example ({type(error).__name__}: {str(error)[:300]}); {ADVICE}"
        ) from error
    seconds[program] = min(seconds[program], time.perf_counter() - started)
    return outputs


def _width(artifact: Artifact) -> tuple[int, ...]:
    """Shape of one output of the program that answers the examples."""
    manifest = artifact.manifest
    if manifest.task in CLASSIFICATIONS:
        return (len(manifest.labels),)
    return (1,) if manifest.task == REGRESSION else (manifest.latent,)


def _check_shape(outputs: NDArray[Any], shape: tuple[int, ...], place: str) -> None:
    if outputs.shape != (1, *shape) or outputs.dtype != np.float32 or not np.isfinite(outputs).all():
        raise ArtifactError(
            f"{place}: the model gave {outputs.dtype} of shape {outputs.shape}, expected finite float32 of shape "
            f"{(1, *shape)}; {ADVICE}"
        )


def _tolerance(artifact: Artifact, program: str) -> float:
    manifest = artifact.manifest
    return max(LEAST_TOLERANCE, manifest.exports[manifest.programs[program]].tolerance)


def _compare(
    output: NDArray[np.float32], recorded: Prediction, labels: tuple[str, ...], tolerance: float, place: str
) -> None:
    """Raise ArtifactError where a field of the answer is not the recorded one."""
    if recorded.label is not None:
        _compare_label(output, recorded.label, recorded.score or 0.0, labels, tolerance, place)
        return
    numbers = (recorded.value,) if recorded.latent is None else recorded.latent
    for found, expected in zip(output.tolist(), numbers, strict=True):
        if expected is None or not _close(found, expected, tolerance):
            raise ArtifactError(
                f"{place}: the model answers {found:.6g}, the manifest has {expected:.6g}, tolerance {tolerance:g}; "
                f"{ADVICE}"
            )


def _compare_label(
    scores: NDArray[np.float32], label: str, score: float, labels: tuple[str, ...], tolerance: float, place: str
) -> None:
    """The label may be another where two scores are as good as equal."""
    best, found = int(scores.argmax()), float(scores[labels.index(label)])
    if float(scores[best]) - found > tolerance or not _close(found, score, tolerance):
        raise ArtifactError(
            f"{place}: the model answers {labels[best]!r} ({scores[best]:.4f}), the manifest has {label!r} "
            f"({score:.4f}), tolerance {tolerance:g}; {ADVICE}"
        )


def _close(found: float, expected: float, tolerance: float) -> bool:
    return abs(found - expected) <= tolerance * max(1.0, abs(expected))
