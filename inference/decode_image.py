"""image/png and image/jpeg: one image -> one instance, grey, scaled to the schema's size and value range.

Black becomes the range's minimum and white its maximum; the digits are bright ink on a dark ground, so a scan of dark
ink on paper has to be inverted by the sender. Pillow is imported with the first image.
"""

import functools
import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inference.errors import RequestError, bad_request
from inference.manifest import InputSchema

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 16_000_000  # a small file can unpack to gigabytes; a phone's photo has 12 million pixels
FULL_SCALE_16_BIT = 65_535.0
FULL_SCALE_8_BIT = 255.0


def _decode_image(body: bytes, schema: InputSchema, *, kind: str) -> NDArray[np.float32]:
    """float32 (1, *shape) from a file of the format `kind`."""
    if len(schema.shape) != 2:
        raise bad_request(
            f"this model's instances have shape {list(schema.shape)}, which no grey image fills; send JSON"
        )
    height, width = schema.shape
    wanted = f"expected a {kind} image of at most {MAX_PIXELS} pixels (it is scaled to {width}x{height} grey)"
    from PIL import Image

    try:
        with Image.open(io.BytesIO(body), formats=[kind]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise bad_request(f"the image has {image.width}x{image.height} pixels; {wanted}")
            grey = _grey(image).resize((width, height), Image.Resampling.BOX)
    except RequestError:
        raise
    except Exception as error:  # Pillow's parsers raise many types on hostile files; all of them mean "not this image"
        raise bad_request(f"the image cannot be read ({type(error).__name__}: {str(error)[:100]}); {wanted}") from None
    values = np.asarray(grey, dtype=np.float32) * np.float32(schema.maximum - schema.minimum) + np.float32(
        schema.minimum
    )
    return values.reshape(1, height, width)


def _grey(image: "Image") -> "Image":
    """Floating-point grey in [0, 1]; 16-bit images keep their depth."""
    deep = image.mode.startswith("I")
    plain = image.convert("I") if deep else image.convert("L")
    scale = FULL_SCALE_16_BIT if deep else FULL_SCALE_8_BIT
    return plain.convert("F").point(lambda value: value / scale)


decode_png = functools.partial(_decode_image, kind="PNG")
decode_jpeg = functools.partial(_decode_image, kind="JPEG")
