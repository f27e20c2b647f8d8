"""Archives of arrays: which array is taken, and that a hostile archive costs nothing."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from inference.formats.decode import decoders
from inference.formats.decode_npz import MAX_UNPACKED_BYTES
from inference.http.errors import RequestError
from inference.manifests.schema import InputSchema
from inference.manifests.tokenizer import Tokenizer

SCHEMA = InputSchema(kind="image", name="image", dtype="float32", shape=(4, 3), minimum=0.0, maximum=10.0)
NPZ = "application/x-npz"
DECODE = decoders(SCHEMA)[NPZ]
BATCH = np.arange(24, dtype=np.float32).reshape(2, 4, 3)


def npz(save: object = np.savez, **arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)  # type: ignore[operator]
    return buffer.getvalue()


def zipped(method: int, *members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def refusal(body: bytes) -> str:
    with pytest.raises(RequestError) as caught:
        DECODE(body)
    assert caught.value.status == 400
    return caught.value.message


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_array_named_like_the_input_or_the_only_one(save: object) -> None:
    for body in (npz(save, image=BATCH, other=np.zeros(3)), npz(save, whatever=BATCH), npz(save, arr_0=BATCH[0])):
        np.testing.assert_array_equal(DECODE(body)[0], BATCH[0])


def test_texts() -> None:
    tokenizer = Tokenizer.train(["good bad"], 10)
    schema = InputSchema(kind="text", name="text", dtype="int64", shape=(2,), tokenizer="tokenizer.json")
    batch = decoders(schema, tokenizer)[NPZ](npz(text=np.array(["good bad", "bad"])))
    assert batch.tolist() == tokenizer.encode(["good bad", "bad"], 2).tolist()


def encrypted(body: bytes) -> bytes:
    return body.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "cannot be read (BadZipFile"),
        (b"PK\x05\x06" + bytes(18), "has arrays []"),
        (npz(a=BATCH, b=BATCH), "has arrays ['a', 'b']"),
        (npz(image=np.array([None])), "dtype '|O'"),
        (npz(image=BATCH[:, :2]), "shape [2, 2, 3]"),
        (zipped(0, ("image.npy", b"x")), "not a .npy file"),
        (zipped(zipfile.ZIP_BZIP2, ("image.npy", b"x")), "a way that numpy does not use"),
        (encrypted(zipped(0, ("image.npy", b"x"))), "a way that numpy does not use"),
        (npz(image=BATCH)[:-30], "cannot be read"),
        (npz(image=BATCH).replace(b"\x80?", b"\x81?", 1), "Bad CRC-32"),
        (zipped(0, *((f"{number}.npy", b"") for number in range(65))), "65 members, allowed are 64"),
    ],
)
def test_bad_archives_say_what_is_expected(body: bytes, found: str) -> None:
    message = refusal(body)
    assert found in message and "expected a .np" in message, message


def test_bombs_are_not_unpacked() -> None:
    bomb = zipped(zipfile.ZIP_DEFLATED, ("image.npy", bytes(MAX_UNPACKED_BYTES + 1)))
    lying = bomb.replace(struct.pack("<I", MAX_UNPACKED_BYTES + 1), struct.pack("<I", 300))
    tracemalloc.start()
    try:
        assert "the array has 26214401 bytes, allowed are 26214400" in refusal(bomb)
        assert "cannot be read" in refusal(lying)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
