"""An image file's pixels, the same in training and in serving: turned upright, on white, scaled, 8 bits a value.

`fit_image` is the only place where a picture becomes an array, so a file that a model was trained on and the same file
in a request give bitwise the same numbers. Eight bits, because integers leave nothing to the order of additions, and
because a data set of them needs a quarter of float32's memory.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_IMAGE_PIXELS = 16_000_000  # a small file can unpack to gigabytes; a phone's photo has 12 million pixels
STEPS_16_TO_8_BITS = 257  # 65535 / 255
WHITE = (255, 255, 255, 255)


def fit_image(image: "Image", shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The pixels of `image` (a file opened with Pillow) as uint8 `shape`: (H, W) grey or (H, W, 3) RGB, 0 to 255.

    The EXIF orientation is honoured, transparent parts show white, 16-bit grey is rounded to 8 bits, and the whole
    picture is scaled to H x W whatever its proportions: to fewer pixels by the mean of the area of each, as a coarser
    sensor would have seen it, to more by linear interpolation. An image of that size keeps its pixels. `image` itself
    is turned upright.

    Raises ValueError for more than MAX_IMAGE_PIXELS, before anything is unpacked, and whatever Pillow raises (OSError
    mostly, other types on hostile files) where the file cannot be read.
    """
    from PIL import Image, ImageOps

    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise ValueError(f"the image has {image.width}x{image.height} pixels; at most {MAX_IMAGE_PIXELS} are allowed")
    ImageOps.exif_transpose(image, in_place=True)  # a copy of a large image is tens of megabytes
    plain = _plain(image).convert("L" if len(shape) == 2 else "RGB")
    height, width = shape[:2]
    if plain.size != (width, height):
        shrinks = width <= plain.width and height <= plain.height
        plain = plain.resize((width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)
    return np.array(plain)


def _plain(image: "Image") -> "Image":
    """`image` with 8 bits a value and without transparency."""
    from PIL import Image

    if image.mode.startswith("I"):
        deep = np.asarray(image).clip(0, 65_535).astype(np.uint32)
        deep += STEPS_16_TO_8_BITS // 2
        deep //= STEPS_16_TO_8_BITS
        return Image.fromarray(deep.astype(np.uint8))
    if not image.has_transparency_data:
        return image
    ground = Image.new("RGBA", image.size, WHITE)
    return Image.alpha_composite(ground, image.convert("RGBA"))
