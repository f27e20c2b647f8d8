"""Images: nested lists in JSON; image/png and image/jpeg -> one instance, scaled to the schema's size and value range.

Black becomes the range's minimum and white its maximum; the digits are bright ink on a dark ground, so a scan of dark
ink on paper has to be inverted by the sender. Pillow is imported with the first image.
"""

import functools
import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.formats.decode_json import Reader
from inference.formats.decode_numbers import numbers
from inference.formats.images import MAX_IMAGE_PIXELS, fit_image
from inference.http.errors import bad_request
from inference.manifests.schema import InputSchema

FULL_SCALE = 255.0


def image_reader(schema: InputSchema) -> Reader:
    """Nested lists of numbers of the schema's shape."""
    wanted = f'expected {{"instances": [...]}}, each instance nested lists of numbers of shape {list(schema.shape)}'

    def is_one(found: Any) -> bool:
        return _depth(found, len(schema.shape) + 1) == len(schema.shape)

    def read(images: list[Any], truths: bool) -> NDArray[np.float32]:
        return numbers(images, schema.shape, wanted, truths=truths)

    return Reader(wanted=wanted, is_one=is_one, read=read)


def _depth(found: Any, deepest: int) -> int:
    """How many lists lie around the first number, `deepest` at most."""
    depth = 0
    while depth < deepest and isinstance(found, list) and found:
        found, depth = found[0], depth + 1
    return depth


def _decode_image(body: bytes, schema: InputSchema, *, kind: str) -> NDArray[np.float32]:
    """float32 (1, *shape) from a file of the format `kind`."""
    height, width = schema.shape[:2]
    colours = "grey" if len(schema.shape) == 2 else "RGB"
    wanted = (
        f"expected a {kind} image of at most {MAX_IMAGE_PIXELS} pixels (it is scaled to {width}x{height} {colours})"
    )
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # else each hostile size would be logged
            with Image.open(io.BytesIO(body), formats=[kind]) as image:
                pixels = fit_image(image, schema.shape)
    except Exception as error:  # Pillow's parsers raise many types on hostile files; all of them mean "not this image"
        raise bad_request(f"the image cannot be read ({type(error).__name__}: {str(error)[:100]}); {wanted}") from None
    minimum, maximum = schema.value_range
    step = np.float32((maximum - minimum) / FULL_SCALE)  # 1 where the model was trained on 0 to 255, so nothing changes
    return (pixels * step + np.float32(minimum))[np.newaxis]


decode_png = functools.partial(_decode_image, kind="PNG")
decode_jpeg = functools.partial(_decode_image, kind="JPEG")
