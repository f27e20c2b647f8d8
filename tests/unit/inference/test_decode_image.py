"""Images: the pixels of a file are the same in training and in serving, whatever it is stored as."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from inference import artifact
from inference.formats.decode import decoders
from inference.http.errors import RequestError
from inference.manifests.schema import InputSchema

SCHEMA = InputSchema(kind="image", name="image", dtype="float32", shape=(4, 3), minimum=0.0, maximum=10.0)
PHOTO = InputSchema(kind="image", name="photo", dtype="float32", shape=(5, 6, 3), minimum=0.0, maximum=255.0)
PNG, JPEG = "image/png", "image/jpeg"
ORIENTATION = 0x0112  # EXIF tag


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def image(mode: str, size: tuple[int, int], value: int, kind: str = "PNG") -> bytes:
    return stored(Image.new(mode, size, value), kind)


def opened(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body))


def decode(body: bytes, media: str, schema: InputSchema) -> np.ndarray:
    return decoders(schema)[media](body)


def refusal(body: bytes, media: str, schema: InputSchema = SCHEMA) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode(body, media, schema)
    return caught.value


def random_pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [("L", 0, 0.0), ("L", 255, 10.0), ("L", 51, 2.0), ("RGB", 0xFFFFFF, 10.0), ("1", 1, 10.0), ("I;16", 13_107, 2.0)],
)
def test_images_are_scaled_to_the_schemas_size_and_range(mode: str, value: int, expected: float) -> None:
    batch = decode(image(mode, (30, 40), value), PNG, SCHEMA)
    assert batch.shape == (1, 4, 3)
    np.testing.assert_allclose(batch, expected, atol=1e-4)


def test_rows_and_columns_of_an_image_stay_in_place() -> None:
    pixels = np.zeros((4, 3), np.uint8)
    pixels[1, 2] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    np.testing.assert_allclose(decode(buffer.getvalue(), PNG, SCHEMA)[0], pixels / 255 * 10, atol=1e-5)


def test_jpeg_bytes_declared_as_png_are_refused() -> None:
    assert "expected a PNG image" in refusal(image("L", (3, 4), 9, "JPEG"), PNG).message


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    idat = b"IDAT" + zlib.compress(b"\0" * 1000)
    bomb += struct.pack(">I", len(idat) - 4) + idat + struct.pack(">I", zlib.crc32(idat))
    error = refusal(bomb, PNG)
    assert error.status == 400 and "16000000 pixels" in error.message


@pytest.mark.parametrize(("kind", "media"), [("PNG", PNG), ("JPEG", JPEG)])
@pytest.mark.parametrize("size", [(5, 6), (40, 31), (3, 2), (2, 40)])
def test_a_served_photo_has_bitwise_the_pixels_of_the_training(kind: str, media: str, size: tuple[int, int]) -> None:
    body = stored(Image.fromarray(random_pixels(*size, 3)), kind)
    pixels = artifact.fit_image(opened(body), (5, 6, 3))
    assert pixels.dtype == np.uint8 and pixels.shape == (5, 6, 3) and pixels.flags.writeable
    np.testing.assert_array_equal(decode(body, media, PHOTO), pixels[np.newaxis].astype(np.float32))


def test_an_image_of_the_right_size_is_not_touched() -> None:
    for pixels in (random_pixels(5, 6, 3), random_pixels(5, 6)):
        np.testing.assert_array_equal(artifact.fit_image(Image.fromarray(pixels), pixels.shape), pixels)


def test_fewer_pixels_are_means_of_areas() -> None:
    pixels = random_pixels(8, 6)
    means = pixels.reshape(4, 2, 3, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(artifact.fit_image(Image.fromarray(pixels), (4, 3)), means, atol=1)


def test_the_exif_orientation_is_honoured() -> None:
    picture = Image.new("RGB", (12, 4))
    picture.paste((255, 255, 255), (0, 0, 6, 4))  # the left half is white
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned clockwise: what is left comes to the top
    turned = artifact.fit_image(opened(stored(picture, "JPEG", exif=exif, quality=95)), (4, 2))
    assert turned[:2].min() > 240 and turned[2:].max() < 15


def test_what_is_transparent_shows_white() -> None:
    picture = Image.new("RGBA", (4, 2), (200, 0, 0, 255))
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 51))
    pixels = artifact.fit_image(opened(stored(picture)), (2, 4, 3))
    assert pixels[0, 0].tolist() == [255] * 3 and pixels[0, 1].tolist() == [204] * 3
    assert pixels[1].tolist() == [[200, 0, 0]] * 4
    palette = stored(picture.convert("P", palette=Image.Palette.ADAPTIVE), transparency=0)
    assert artifact.fit_image(opened(palette), (2, 4)).shape == (2, 4)
    grey = Image.new("LA", (3, 4), (7, 0))
    assert (artifact.fit_image(opened(stored(grey)), (4, 3)) == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"])
@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 3)])
def test_every_mode_of_pillow_is_understood(mode: str, shape: tuple[int, ...]) -> None:
    pixels = artifact.fit_image(Image.new(mode, (9, 7)), shape)
    assert pixels.shape == shape and pixels.dtype == np.uint8


def test_sixteen_bits_are_rounded_to_eight() -> None:
    deep = np.array([[0, 128, 129, 65_535, 65_406, 65_407]], np.uint16)
    pixels = artifact.fit_image(opened(stored(Image.fromarray(deep))), (1, 6))
    assert pixels.tolist() == [[0, 0, 1, 255, 254, 255]]


def test_too_many_pixels_are_refused_before_they_are_unpacked() -> None:
    picture = Image.new("1", (5_000, 4_000))
    with pytest.raises(ValueError, match="5000x4000 pixels; at most 16000000"):
        artifact.fit_image(picture, (4, 3))


def test_a_colour_image_for_a_grey_model_and_the_other_way_round() -> None:
    assert decode(image("RGB", (9, 9), 0xFFFFFF), PNG, SCHEMA).shape == (1, 4, 3)
    batch = decode(image("L", (9, 9), 51), PNG, PHOTO)
    assert batch.shape == (1, 5, 6, 3) and (batch == 51).all()
