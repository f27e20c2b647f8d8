"""The bytes of an image file -> pixels as the server decodes them, and what the first pass notes of them."""

import io
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference import artifact
from training.prepare.reader import digest

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_ORIENTATION = 0x0112  # EXIF: 5 to 8 lie on their side
_ON_THE_SIDE = range(5, 9)


class DecodeError(Exception):
    """The file is no image that can be read; the message says why."""


class Decoded(NamedTuple):
    """What is noted of an image that is not kept."""

    content: bytes
    height: int
    width: int
    grey: bool


def note(data: bytes, size: int, channels: int) -> Decoded:
    """Size of the upright image, and a digest of its pixels after scaling to `size` (0: as they are) and `channels`.

    Where the channels are still open (0) the digest is of RGB, so it is the same whether the image turns out grey or
    not. Raises DecodeError.
    """
    with _opened(data) as image:
        height, width = _upright_size(image)
        grey = image.mode in GREY_MODES
        sides = (size, size) if size else (height, width)
        fitted = _fit(image, sides if channels == 1 else (*sides, 3))
    return Decoded(digest(repr(fitted.shape), fitted.tobytes()), height, width, grey)


def pixels(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """uint8 `shape`; raises DecodeError."""
    with _opened(data) as image:
        return _fit(image, shape)


def _opened(data: bytes) -> "Image":
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"):  # of large images: fit_image has a limit of its own
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:
        raise DecodeError(_sentence(error)) from None


def _fit(image: "Image", shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        return np.ascontiguousarray(artifact.fit_image(image, shape))
    except MemoryError:  # says nothing of the file
        raise
    except Exception as error:  # Pillow's parsers raise many types on broken files
        raise DecodeError(_sentence(error)) from None


def _upright_size(image: "Image") -> tuple[int, int]:
    """(height, width) as fit_image turns it."""
    try:
        turned = image.getexif().get(_ORIENTATION) in _ON_THE_SIDE
    except Exception as error:
        raise DecodeError(_sentence(error)) from None
    return (image.width, image.height) if turned else (image.height, image.width)


def _sentence(error: Exception) -> str:
    """Without the object's address that Pillow puts into some messages: a report has to come out the same."""
    text = str(error)
    return "not an image" if "cannot identify" in text else f"{type(error).__name__}: {text[:100]}"
