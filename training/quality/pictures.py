"""Images of the data for people: to 8 bits, to PNG, side by side."""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np

from training.quality.intervals import Array

GAP_PIXELS = 1
GAP_VALUE = 128  # visible on white and on black
SMALLEST_SIDE_PIXELS = 48  # smaller images are enlarged by whole factors, so that a file viewer shows something


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What a generator made: uint8 (n, H, W) or (n, H, W, 3) each, n >= 1."""

    originals: Array
    reconstructions: Array
    samples: Array
    """Decoded from random codes."""


def to_pixels(image: Array, minimum: float, maximum: float) -> Array:
    """uint8 of the same shape, for pixel values from `minimum` to `maximum`; what lies outside is clipped."""
    scaled = (np.asarray(image, dtype=np.float64) - minimum) * (255 / (maximum - minimum))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def strips(first: Array, second: Array) -> Array:
    """Two rows of images, (n, H, W[, 3]) each, the first over the second, as one picture."""
    return grid(np.concatenate([first, second]), columns=len(first))


def grid(images: Array, columns: int) -> Array:
    """(n, H, W[, 3]) as one picture with `columns` images a row, a grey line between them."""
    count, height, width = images.shape[:3]
    rows = math.ceil(count / columns)
    step_y, step_x = height + GAP_PIXELS, width + GAP_PIXELS
    size = (rows * step_y - GAP_PIXELS, columns * step_x - GAP_PIXELS, *images.shape[3:])
    canvas = np.full(size, GAP_VALUE, np.uint8)
    for place, image in enumerate(images):
        top, left = place // columns * step_y, place % columns * step_x
        canvas[top : top + height, left : left + width] = image
    return canvas


def enlarge(images: Array) -> Array:
    """(n, H, W[, 3]) by a whole factor, where the sides are below SMALLEST_SIDE_PIXELS."""
    factor = math.ceil(SMALLEST_SIDE_PIXELS / min(images.shape[1:3]))
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def png(image: Array) -> bytes:
    """uint8 (H, W) or (H, W, 3) as a PNG file."""
    from PIL import Image  # matplotlib brings it, and only the report needs it

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


def data_uri(image: Array) -> str:
    """The PNG within an address, for a page without other files."""
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode('ascii')}"
