"""Images as numbers in one CSV file without a header: square images row by row, the label in the last column.

The digits that scikit-learn brings (digits.csv.gz, 1,797 rows of 64 pixels from 0 to 16) are such a file. This is the
default job's way to its data, so it imports nothing but numpy and torch.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference import artifact
from training.data.channel import Channel
from training.data.labels import check_labels
from training.data.pixel_text import first_width, is_square, parse, read_text
from training.data.types import DataSet
from training.errors import DataError

RANGES = (1.0, 16.0, 255.0)  # a pixel's largest value; the first that holds all values is taken
GENERATION = "image-generation"


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """Images float32 or uint8 (n, H, W), class numbers int64 (n,) or zeros, and the range 0..maximum of a pixel."""

    images: NDArray[np.float32] | NDArray[np.uint8]
    targets: NDArray[np.int64]
    labels: tuple[str, ...]
    maximum: float
    sha256: str


def load_pixels(channel: Channel) -> DataSet:
    """The channel's one CSV; raises DataError that names the file, and rows and columns where it can."""
    import torch

    from training.data.parts import check_classes, in_memory, split_rows
    from training.data.resize import resize

    if len(channel.names) != 1:
        raise DataError(f"{channel.found}; expected exactly one file ending in .csv or .csv.gz")
    options = channel.options
    labelled = options.task != GENERATION
    pixels = read_pixels(channel.path(channel.names[0]), labelled=labelled)
    rows = split_rows(pixels.targets if labelled else None, len(pixels.images), options)
    if labelled:
        check_classes(pixels.targets, pixels.labels, rows)
    images = resize(torch.from_numpy(pixels.images), options.image_size, options.channels, pixels.maximum)
    return DataSet(
        task=options.task,
        input=image_schema(tuple(images.shape[1:]), pixels.maximum),
        labels=pixels.labels,
        sha256=pixels.sha256,
        **in_memory(images, torch.from_numpy(pixels.targets), rows),
    )


def read_pixels(path: Path, *, labelled: bool) -> Pixels:
    """The whole file, checked. Without `labelled` the label's column may be missing, and is not looked at."""
    text = read_text(path)
    has_label = labelled or not is_square(first_width(text))
    table = parse(text, path.name, labelled=has_label)
    values = table[:, :-1] if has_label else table
    side = math.isqrt(values.shape[1])
    maximum = next(limit for limit in RANGES if values.max() <= limit)
    images: NDArray[Any] = np.ascontiguousarray(values, dtype=_dtype(values, maximum)).reshape(-1, side, side)
    names, targets = np.unique(table[:, -1], return_inverse=True)
    labels = tuple(f"{name:.0f}" for name in names) if labelled else ()
    if labelled:
        check_labels(labels, path.name)
    return Pixels(
        images=images,
        targets=targets.astype(np.int64) if labelled else np.zeros(len(images), np.int64),
        labels=labels,
        maximum=maximum,
        sha256=hashlib.sha256(text).hexdigest(),
    )


def image_schema(shape: tuple[int, ...], maximum: float) -> artifact.InputSchema:
    """Of images (H, W) or (H, W, 3) with pixels from 0 to `maximum`."""
    return artifact.InputSchema(kind="image", name="image", dtype="float32", shape=shape, minimum=0.0, maximum=maximum)


def _dtype(values: NDArray[np.float32], maximum: float) -> type:
    """uint8 where it holds the values of photographs, a quarter of float32; the digits stay as they always were."""
    return np.uint8 if maximum == RANGES[-1] and not np.any(values % 1) else np.float32
