"""Small data sets of every kind, made up, and the smallest network of each model for them."""

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.artifact import Column, InputSchema
from training.config import TrainingConfig
from training.data.memory import MemoryPart
from training.data.types import DataSet
from training.models import get

ROWS, LABELS, TOKENS, VOCABULARY = 24, ("a", "b", "c"), 12, 30
NUMBER_COLUMNS = tuple(Column(name=f"number_{index}") for index in range(4))
COLOUR = Column(name="colour", categories=("red", "green", "blue"))
SWITCH = Column(name="switch", categories=("no", "yes"))
COLUMNS = (NUMBER_COLUMNS[0], COLOUR, *NUMBER_COLUMNS[1:], SWITCH)
WIDTHS = {"lstm": 8, "transformer": 8}
LATENT = 3


def image_data(shape: tuple[int, ...], task: str = "image-classification", maximum: float = 255.0) -> DataSet:
    """Noise, brighter from class to class; uint8 where the range is that of bytes."""
    targets = torch.arange(ROWS) % len(LABELS)
    noise = torch.rand(ROWS, *shape, generator=torch.Generator().manual_seed(0))
    level = (targets / len(LABELS)).view(-1, *[1] * len(shape))
    inputs = (0.5 * noise + 0.5 * level) * maximum
    schema = InputSchema(kind="image", name="image", dtype="float32", shape=shape, minimum=0.0, maximum=maximum)
    if task == "image-generation":
        return data_set(task, schema, inputs, torch.zeros(ROWS, dtype=torch.int64), labels=())
    return data_set(task, schema, inputs.byte() if maximum == 255 else inputs, targets)


def text_data() -> DataSet:
    """Each class has ten words of its own; texts of 1 to 12 words."""
    random = np.random.default_rng(0)
    targets = np.arange(ROWS) % len(LABELS)
    words = 2 + 9 * targets[:, None] + random.integers(0, 9, (ROWS, TOKENS))
    lengths = random.integers(1, TOKENS + 1, ROWS)
    ids = np.where(np.arange(TOKENS) < lengths[:, None], words, 0).astype(np.int32)
    schema = InputSchema(kind="text", name="text", dtype="int64", shape=(TOKENS,), tokenizer="tokenizer.json")
    return data_set("text-classification", schema, torch.from_numpy(ids), torch.from_numpy(targets), VOCABULARY)


def table_data(task: str = "tabular-classification", rows: int = ROWS, missing: float = 0.1) -> DataSet:
    """Numbers far from 0, one of them constant; two categories; some cells missing."""
    random = np.random.default_rng(0)
    targets = np.arange(rows) % len(LABELS)
    cells = random.normal(1000.0, 5.0, (rows, len(COLUMNS)))
    cells[:, 0] += 10.0 * targets
    cells[:, 4] = 7.0
    for index, column in enumerate(COLUMNS):
        if column.categories:
            cells[:, index] = random.integers(0, len(column.categories), rows)
    cells[random.random(cells.shape) < missing] = np.nan
    schema = InputSchema(kind="table", name="row", dtype="float32", shape=(len(COLUMNS),), columns=COLUMNS)
    inputs = torch.from_numpy(cells.astype(np.float32))
    if task == "tabular-regression":
        return data_set(task, schema, inputs, torch.from_numpy((50.0 + 10.0 * targets).astype(np.float32)), labels=())
    return data_set(task, schema, inputs, torch.from_numpy(targets))


def data_set(
    task: str,
    schema: InputSchema,
    inputs: Tensor,
    targets: Tensor,
    vocabulary: int = 0,
    labels: tuple[str, ...] = LABELS,
) -> DataSet:
    """The same rows in every part."""
    part = MemoryPart(inputs=inputs, targets=targets)
    return DataSet(
        task=task,
        input=schema,
        labels=labels,
        train=part,
        validation=None,
        test=part,
        sha256="0" * 64,
        vocabulary=vocabulary,
    )


def config(model: str, **values: Any) -> TrainingConfig:
    """The model's defaults, as small as it gets."""
    tiny = {"model": model, "width": WIDTHS.get(model, 4), "latent": LATENT}
    return TrainingConfig.of(**{**get(model).defaults, **tiny, **values})


def networks() -> list[tuple[str, DataSet]]:
    """Every network of ours with data for each of its shapes."""
    images = [image_data((8, 8), maximum=16.0), *map(image_data, ((28, 28), (32, 32, 3), (100, 100, 3)))]
    generation = [image_data(shape, "image-generation") for shape in ((8, 8), (28, 28), (25, 30, 3))]
    return [
        *itertools.product(["cnn"], images),
        *itertools.product(["mlp"], images[:2]),
        *itertools.product(["resnet9"], [images[0], images[2]]),
        *itertools.product(["fasttext", "lstm", "transformer"], [text_data()]),
        ("tabular_mlp", table_data()),
        ("tabular_mlp", table_data("tabular-regression")),
        *itertools.product(["vae"], generation),
    ]
