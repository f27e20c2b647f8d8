"""Folders of images, one for each class -> DataSet in memory, by the data step's own pipeline with its defaults.

Broken files, tiny ones and duplicates are left out as the data step would, and DataSet.notes says how many. Decoding
costs a few milliseconds an image at every start of a job: many are better prepared once.
"""

import dataclasses
import hashlib
import math

import numpy as np
import torch

from training.data.channel import Channel
from training.data.memory import MemoryPart
from training.data.types import DataSet
from training.errors import DataError
from training.options import DataOptions
from training.prepare.options import PrepareOptions
from training.prepare.pipeline import Plan, fill, plan
from training.prepare.progress import Silent
from training.prepare.sink import MemorySink
from training.prepare.threads import WORKERS

MIB = 2**20


def load_folder(channel: Channel) -> DataSet:
    """All images of the channel; raises DataError that names files, and says what was left out and why."""
    chosen = {option.name: getattr(channel.options, option.name) for option in dataclasses.fields(DataOptions)}
    planned = plan([channel.folder], PrepareOptions(**chosen), WORKERS, Silent())
    _check_size(channel, planned)
    rows = {part: len(targets) for part, targets in planned.targets.items()}
    sink = MemorySink(planned.stored, rows)
    fill(planned, sink, Silent())
    parts = {
        part: MemoryPart(inputs=torch.from_numpy(sink.inputs[part]), targets=torch.from_numpy(targets))
        for part, targets in planned.targets.items()
    }
    return DataSet(
        task=channel.options.task,
        input=planned.stored.input,
        labels=planned.labels,
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts["test"],
        sha256=_sha256(sink, planned),
        notes=tuple(filter(None, [planned.report.sentence()])),
    )


def _check_size(channel: Channel, planned: Plan) -> None:
    size = len(planned.targets["train"]) * math.prod(planned.stored.input.shape)
    if size > channel.options.stream_above_mb * MIB:
        raise DataError(
            f"{channel.folder}: the training images are {size // MIB} MiB, more than stream_above_mb "
            f"({channel.options.stream_above_mb}), and a folder cannot be streamed; write a data set with "
            "`python -m training.prepare` and train on that, or raise stream_above_mb"
        )


def _sha256(sink: MemorySink, planned: Plan) -> str:
    digest = hashlib.sha256(repr(planned.labels).encode())
    for part, inputs in sink.inputs.items():
        digest.update(part.encode())
        digest.update(np.ascontiguousarray(inputs).data)
        digest.update(planned.targets[part].data)
    return digest.hexdigest()
