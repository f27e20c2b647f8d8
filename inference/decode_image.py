"""image/png and image/jpeg: one image -> one instance, scaled to the schema's size and value range.

Black becomes the range's minimum and white its maximum; the digits are bright ink on a dark ground, so a scan of dark
ink on paper has to be inverted by the sender. Pillow is imported with the first image.
"""

import functools
import io

import numpy as np
from numpy.typing import NDArray

from inference.errors import bad_request
from inference.images import MAX_IMAGE_PIXELS, fit_image
from inference.schema import InputSchema

FULL_SCALE = 255.0


def _decode_image(body: bytes, schema: InputSchema, *, kind: str) -> NDArray[np.float32]:
    """float32 (1, *shape) from a file of the format `kind`."""
    height, width = schema.shape[:2]
    colours = "grey" if len(schema.shape) == 2 else "RGB"
    wanted = (
        f"expected a {kind} image of at most {MAX_IMAGE_PIXELS} pixels (it is scaled to {width}x{height} {colours})"
    )
    from PIL import Image

    try:
        with Image.open(io.BytesIO(body), formats=[kind]) as image:
            pixels = fit_image(image, schema.shape)
    except Exception as error:  # Pillow's parsers raise many types on hostile files; all of them mean "not this image"
        raise bad_request(f"the image cannot be read ({type(error).__name__}: {str(error)[:100]}); {wanted}") from None
    minimum, maximum = schema.value_range
    step = np.float32((maximum - minimum) / FULL_SCALE)  # 1 where the model was trained on 0 to 255, so nothing changes
    return (pixels * step + np.float32(minimum))[np.newaxis]


decode_png = functools.partial(_decode_image, kind="PNG")
decode_jpeg = functools.partial(_decode_image, kind="JPEG")
