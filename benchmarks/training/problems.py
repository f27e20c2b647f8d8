"""The models and the data they are trained on: real, small, out of installed packages, held in memory.

| name | model | data |
| --- | --- | --- |
| mlp | 30-64-64-2, 6,274 parameters | breast_cancer, batch 32 |
| cnn | convolutions 32-32-64 with batch norm | the digits at 1x28x28, batch 64 |
| resnet9 | 6,573,130 parameters | the digits at 3x32x32, batch 64 |
| lstm | 1 layer of 128, embeddings of 128 | docstrings of four packages, 64 tokens, batch 64 |

Models and hyperparameters are those that a job gets which names the model; a benchmark changes what its table says.
"""

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.artifact import Column, InputSchema
from training import samples
from training.config import TrainingConfig, parse_hyperparameters
from training.data import DataSet, Host, load
from training.data.memory import MemoryPart
from training.network import Blueprint, Network
from training.processes import Processes

CPU = torch.device("cpu")
LARGEST_PIXEL = 255.0
IMAGE, TEXT, TABLE = "image-classification", "text-classification", "tabular-classification"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Data and hyperparameters of one training. Picklable, for the loops that run in processes of their own."""

    name: str
    data: DataSet
    config: TrainingConfig

    def having(self, **values: Any) -> "Problem":
        """The same with other hyperparameters."""
        return replace(self, config=TrainingConfig.of(**{**self.config.flat(), **values}))

    def repeated(self, rows: int) -> "Problem":
        """The same with the training part repeated up to `rows` examples, so that an epoch is longer."""
        inputs, targets = tensors(self.data)
        index = torch.arange(rows) % len(targets)
        part = MemoryPart(inputs=inputs[index], targets=targets[index])
        return replace(self, data=replace(self.data, train=part))

    def network(self, device: torch.device = CPU) -> Network:
        """Fresh weights, with preprocessing and loss, as a job makes them."""
        return Blueprint.of(self.config, self.data, Processes(device=device)).build(device)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the training part."""
        return self.data.train.rows // self.config.loop.batch_size

    def lasting(self, steps: int) -> "Problem":
        """The same with enough epochs for so many steps."""
        return self.having(epochs=-(-steps // self.steps_per_epoch))


def tensors(data: DataSet) -> tuple[Tensor, Tensor]:
    """Raw inputs and targets of the whole training part, in stored order."""
    parts = [window.read() for window in data.train.plan(None)]
    return torch.cat([inputs for inputs, _ in parts]), torch.cat([targets for _, targets in parts])


def _problem(name: str, data: DataSet, **hyperparameters: str) -> Problem:
    return Problem(name=name, data=data, config=parse_hyperparameters({"task": data.task, **hyperparameters}))


def _data_set(task: str, schema: InputSchema, labels: tuple[str, ...], inputs: Tensor, targets: Tensor) -> DataSet:
    """A fifth, drawn by class, is the test part, as a job would split it."""
    from sklearn.model_selection import train_test_split

    kept, held_out = (
        torch.from_numpy(np.sort(rows))
        for rows in train_test_split(np.arange(len(targets)), test_size=0.2, stratify=targets, random_state=0)
    )
    return DataSet(
        task=task,
        input=schema,
        labels=labels,
        train=MemoryPart(inputs=inputs[kept], targets=targets[kept]),
        validation=None,
        test=MemoryPart(inputs=inputs[held_out], targets=targets[held_out]),
        sha256="",  # every run has a checkpoint folder of its own, so nothing has to be told apart
    )


def _mlp() -> Problem:
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    columns = tuple(Column(name=str(name)) for name in bunch.feature_names)
    schema = InputSchema(kind="table", name="row", dtype="float32", shape=(len(columns),), columns=columns)
    inputs = torch.from_numpy(bunch.data).float()
    data = _data_set(TABLE, schema, ("malignant", "benign"), inputs, torch.from_numpy(bunch.target))
    return _problem("mlp", data, model="tabular_mlp", batch_size="32", width="64", depth="2")


def _digits(side: int, channels: int) -> DataSet:
    """uint8 (n, side, side), or (n, side, side, 3) with three equal channels, enlarged from 8x8."""
    from sklearn.datasets import load_digits

    pixels, targets = load_digits(return_X_y=True)
    small = torch.from_numpy(pixels).float().view(-1, 1, 8, 8) * (LARGEST_PIXEL / 16)
    images = torch.nn.functional.interpolate(small, size=(side, side), mode="bilinear").round().to(torch.uint8)[:, 0]
    if channels > 1:
        images = images.unsqueeze(-1).repeat(1, 1, 1, channels)
    schema = InputSchema(
        kind="image", name="image", dtype="float32", shape=tuple(images.shape[1:]), minimum=0.0, maximum=LARGEST_PIXEL
    )
    return _data_set(IMAGE, schema, tuple("0123456789"), images, torch.from_numpy(targets))


def _cnn() -> Problem:
    return _problem("cnn", _digits(28, 1), model="cnn", width="32", depth="2", shift_pixels="0")


def _resnet9() -> Problem:
    return _problem("resnet9", _digits(32, 3), model="resnet9", shift_pixels="0")


def _lstm() -> Problem:
    with tempfile.TemporaryDirectory(prefix="docstrings-") as folder:
        channel = Path(folder) / "docstrings"
        samples.write("docstrings", channel)
        data = load(channel, TrainingConfig.of(task=TEXT).data, Host())
    return _problem("lstm", replace(data, tokenizer=None), model="lstm")


_MAKE: dict[str, Callable[[], Problem]] = {"mlp": _mlp, "cnn": _cnn, "resnet9": _resnet9, "lstm": _lstm}


@functools.cache
def problem(name: str) -> Problem:
    """The problem called `name`; lstm takes 20 s to prepare."""
    return _MAKE[name]()
