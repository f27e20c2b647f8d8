"""The engine: a loaded model that turns float32 batches into scores, and the proof that it is the recorded one."""

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.artifact import Artifact
from inference.machine import cpu_limit, keep_freed_memory
from inference.manifest import ArtifactError

SCORE_TOLERANCE = 1e-3  # another CPU's kernels may sum in another order; a wrong model is off by far more


class Engine(Protocol):
    """What a batcher needs of a model."""

    name: str

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (N, *shape), finite -> scores float32 (N, labels)."""


class TorchEngine:
    """The exported program on the CPU, in inference mode."""

    def __init__(self, artifact: Artifact) -> None:
        keep_freed_memory()
        import torch

        torch.set_num_threads(cpu_limit())
        self._torch = torch
        self._program = artifact.program()
        self.name = f"torch {torch.__version__}"

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of `batch`."""
        with self._torch.inference_mode():
            scores: NDArray[np.float32] = self._program(self._torch.from_numpy(batch)).numpy()
        return scores


def prove(engine: Engine, artifact: Artifact) -> float:
    """Answer every example of the manifest, compare with what was recorded; returns the seconds of the fastest call.

    Raises ArtifactError where a label differs or a score strays by more than SCORE_TOLERANCE.
    """
    manifest = artifact.manifest
    fastest = float("inf")
    for number, example in enumerate(manifest.examples):
        batch = np.array([example.instance], dtype=np.float32)
        started = time.perf_counter()
        scores = engine.predict(batch)
        fastest = min(fastest, time.perf_counter() - started)
        if scores.shape != (1, len(manifest.labels)) or not np.isfinite(scores).all():
            raise ArtifactError(
                f"example {number}: the model gave shape {scores.shape}, expected {len(manifest.labels)} scores"
            )
        best = int(scores[0].argmax())
        label, score = manifest.labels[best], float(scores[0, best])
        recorded = example.prediction
        if label != recorded.label or abs(score - recorded.score) > SCORE_TOLERANCE:
            raise ArtifactError(
                f"example {number}: the model answers {label!r} ({score:.4f}), the manifest has "
                f"{recorded.label!r} ({recorded.score:.4f}); another model or torch made the artifact; train it again"
            )
    return fastest
