"""From rows as the data set holds them, and as a client sends them, to what a model takes.

    preprocess = create_preprocess(data.input, statistics)
    model(preprocess(rows))

These are modules, so that the served program holds them and their constants: nothing is written down twice.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from training.tasks.statistics import Moments, Statistics

if TYPE_CHECKING:
    from inference.artifact import Column, InputSchema


class Preprocess(nn.Module):
    """Base of the three below; `shape` is that of one preprocessed instance."""

    shape: tuple[int, ...]


class ImagePreprocess(Preprocess):
    """Pixel values (N, H, W) or (N, H, W, 3), uint8 or float, -> float32 (N, C, H, W) in [0, 1]."""

    def __init__(self, shape: tuple[int, ...], minimum: float, maximum: float) -> None:
        super().__init__()
        self.minimum, self.factor = minimum, 1.0 / (maximum - minimum)
        self.is_grey = len(shape) == 2
        self.shape = (1, *shape) if self.is_grey else (shape[2], shape[0], shape[1])

    def forward(self, pixels: Tensor) -> Tensor:
        """One batch. Colour images come out with the channels innermost in memory, as they went in."""
        values = pixels.to(torch.float32)
        if self.minimum != 0:
            values = values - self.minimum
        values = values * self.factor
        return values.unsqueeze(1) if self.is_grey else values.permute(0, 3, 1, 2)


class TextPreprocess(Preprocess):
    """Token ids (N, T) of any whole type -> int64."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.shape = (tokens,)

    def forward(self, tokens: Tensor) -> Tensor:
        """One batch."""
        return tokens.to(torch.int64)


class TablePreprocess(Preprocess):
    """float32 (N, columns), a category as its index, a missing value as NaN -> float32 (N, features).

    Numbers come first: less their mean, over their standard deviation, 0 (the mean) where missing. Then one place for
    each category, 1 where it is the row's; all are 0 where it is missing or was unknown.
    """

    number_columns: Tensor
    mean: Tensor
    scale: Tensor
    category_columns: Tensor
    category: Tensor

    def __init__(self, columns: "tuple[Column, ...]", moments: Moments) -> None:
        super().__init__()
        numbers = [index for index, column in enumerate(columns) if not column.categories]
        places = [(index, code) for index, column in enumerate(columns) for code in range(len(column.categories))]
        self.shape = (len(numbers) + len(places),)
        self.has_numbers, self.has_categories = bool(numbers), bool(places)
        self.register_buffer("number_columns", torch.tensor(numbers, dtype=torch.int64))
        self.register_buffer("mean", moments.mean[numbers].float())
        self.register_buffer("scale", moments.scale()[numbers].float())
        self.register_buffer("category_columns", torch.tensor([index for index, _ in places], dtype=torch.int64))
        self.register_buffer("category", torch.tensor([float(code) for _, code in places]))

    def forward(self, rows: Tensor) -> Tensor:
        """One batch."""
        parts = []
        if self.has_numbers:
            standard = (rows.index_select(1, self.number_columns) - self.mean) / self.scale
            parts.append(torch.where(standard.isnan(), 0.0, standard))
        if self.has_categories:
            parts.append((rows.index_select(1, self.category_columns) == self.category).to(torch.float32))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def create_preprocess(schema: "InputSchema", statistics: Statistics) -> Preprocess:
    """The one for this kind of input."""
    if schema.kind == "image":
        return ImagePreprocess(schema.shape, *schema.value_range)
    if schema.kind == "text":
        return TextPreprocess(schema.shape[0])
    assert statistics.columns is not None, "measure() gives the columns of every table"
    return TablePreprocess(schema.columns, statistics.columns)
