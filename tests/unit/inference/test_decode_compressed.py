"""Content-Encoding: what is unpacked, and what is not."""

import gzip
import tracemalloc
import zlib

import pytest

from inference.formats.decode_compressed import unpacked
from inference.http.errors import RequestError

BODY = b'{"instances": [1, 2, 3]}' * 10
LIMIT_BYTES = 1000


def refusal(body: bytes, encoding: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        unpacked(body, encoding, LIMIT_BYTES)
    assert "expected" in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(BODY, mtime=0), "gzip"),
        (gzip.compress(BODY, mtime=0), " X-GZIP "),
        (zlib.compress(BODY), "deflate"),
        (BODY, "identity"),
        (BODY, ""),
    ],
)
def test_what_was_compressed_is_unpacked(body: bytes, encoding: str) -> None:
    assert unpacked(body, encoding, LIMIT_BYTES) == BODY


@pytest.mark.parametrize(
    ("body", "encoding", "status", "found"),
    [
        (BODY, "br", 415, "content encoding 'br' is not supported"),
        (BODY, "gzip, gzip", 415, "'gzip, gzip' is not supported"),
        (BODY, "gzip", 400, "the body is not gzip (Error -3"),
        (b"", "gzip", 400, "ends in the middle"),
        (gzip.compress(BODY, mtime=0)[:-3], "gzip", 400, "ends in the middle of its gzip data"),
        (gzip.compress(BODY, mtime=0) + b"more", "gzip", 400, "4 bytes follow the end"),
        (zlib.compress(BODY), "gzip", 400, "the body is not gzip"),
        (zlib.compress(bytes(LIMIT_BYTES + 1)), "deflate", 413, "more than 1000 bytes once it is unpacked"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(body: bytes, encoding: str, status: int, found: str) -> None:
    error = refusal(body, encoding)
    assert error.status == status and found in error.message
    assert (error.headers == {"Accept-Encoding": "gzip, deflate"}) == (status == 415)


def test_a_body_of_just_the_limit_is_let_through() -> None:
    assert unpacked(gzip.compress(bytes(LIMIT_BYTES)), "gzip", LIMIT_BYTES) == bytes(LIMIT_BYTES)


def test_a_bomb_is_unpacked_up_to_the_limit_only() -> None:
    bomb = gzip.compress(bytes(2**26))
    tracemalloc.start()
    try:
        assert refusal(bomb, "gzip").status == 413
        assert tracemalloc.get_traced_memory()[1] < 2**18
    finally:
        tracemalloc.stop()
