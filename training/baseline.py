"""The model that is served now, on this run's test part: what the gate's paired test compares with.

It comes through the channel `baseline`, as the artifact's folder or as the model.tar.gz that the endpoint serves.
"""

import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inference import artifact
from training.batches import in_order
from training.data.types import DataSet
from training.errors import DataError
from training.quality import PairedTest, Quality, evaluate, paired_test
from training.tasks.generation import Generation

ROWS_AT_ONCE = 256
ARCHIVE = "model.tar.gz"


def compare(channel: Path, data: DataSet, quality: Quality, report: Callable[[str], None]) -> PairedTest | None:
    """The paired test of `quality` against the artifact in `channel`; None where there is none, or none that fits.

    Raises DataError where the channel holds something that is no artifact.
    """
    if not channel.is_dir() or not any(channel.iterdir()):
        return None
    with _opened(channel) as served:
        reason = _unlike(served.manifest, data)
        if reason:
            report(f"baseline=not_compared version={served.version} because {reason}")
            return None
        targets = np.concatenate([rows.numpy() for _, rows in in_order(data.test, ROWS_AT_ONCE)])
        return paired_test(quality, evaluate(data.task, _outputs(served, data), targets, data.labels))


@contextmanager
def _opened(channel: Path) -> Iterator[artifact.Artifact]:
    """The artifact in the channel, unpacked for the time being."""
    with tempfile.TemporaryDirectory(prefix="baseline-") as scratch:
        folder = channel
        try:
            if (channel / ARCHIVE).is_file():
                folder = Path(scratch)
                with tarfile.open(channel / ARCHIVE) as archive:
                    archive.extractall(folder, filter="data")
            yield artifact.load(folder)
        except (artifact.ArtifactError, tarfile.TarError, OSError) as error:
            raise DataError(
                f"channel `baseline` holds no artifact that can be compared with: {error}; give it the {ARCHIVE} that "
                "is served, or turn the comparison off (training.baseline: off)"
            ) from error


def _unlike(manifest: artifact.Manifest, data: DataSet) -> str:
    """Why the two cannot be compared; empty where they can."""
    if manifest.task != data.task:
        return f"it is for {manifest.task}, this run for {data.task}"
    if manifest.input.kind != data.input.kind or (
        data.input.kind == "image" and manifest.input.shape != data.input.shape
    ):
        return f"it takes {manifest.input.kind} {manifest.input.shape}, this run {data.input.kind} {data.input.shape}"
    if data.input.kind == "table" and manifest.input.columns != data.input.columns:
        return "its columns are others"
    if data.input.kind == "text":
        return "each run has a tokenizer of its own, and the test part here holds token ids"
    if set(manifest.labels) != set(data.labels):
        return f"its labels are {list(manifest.labels)[:5]}, this run's {list(data.labels)[:5]}"
    return ""


def _outputs(served: artifact.Artifact, data: DataSet) -> NDArray[np.float32]:
    """What `evaluate` takes, in the order of this run's labels."""
    found = [_batch(served, data, rows) for rows, _ in in_order(data.test, ROWS_AT_ONCE)]
    outputs = np.concatenate(found)
    if not data.labels:
        return outputs
    places = [served.manifest.labels.index(label) for label in data.labels]
    return np.ascontiguousarray(outputs[:, places])


def _batch(served: artifact.Artifact, data: DataSet, rows: torch.Tensor) -> NDArray[np.float32]:
    raw = rows.numpy().astype(np.float32)
    if data.task != "image-generation":
        return served.run("predict", raw)
    images = served.run("decode", served.run("encode", raw))
    minimum, maximum = data.input.value_range
    task = Generation(minimum=minimum, maximum=maximum, is_grey=len(data.input.shape) == 2)
    return task.errors(rows, torch.from_numpy(images)).numpy()
