"""Content-Encoding: bodies that were compressed on their way, unpacked up to the size that any body may have.

curl --data-binary @body.json.gz -H 'Content-Encoding: gzip' -H 'Content-Type: application/json' URL
"""

import zlib
from http import HTTPStatus

from inference.http.errors import RequestError, bad_request

# zlib's wbits: the container around the same compression.
CODINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
IDENTITY = ("", "identity")


def unpacked(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The body that was meant.

    Raises RequestError: 415 for another coding, 413 for more than `limit_bytes`, 400 for what cannot be unpacked.
    """
    coding = encoding.strip().lower()
    if coding in IDENTITY:
        return body
    if coding not in CODINGS:
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content encoding {coding!r:.100} is not supported; expected gzip, deflate or none",
            {"Accept-Encoding": "gzip, deflate"},
        )
    return _unpacked(body, coding, limit_bytes)


def _unpacked(body: bytes, coding: str, limit_bytes: int) -> bytes:
    stream = zlib.decompressobj(CODINGS[coding])
    try:
        plain = stream.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise bad_request(f"the body is not {coding} ({error}); expected what Content-Encoding says") from None
    if len(plain) > limit_bytes:
        raise RequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body has more than {limit_bytes} bytes once it is unpacked; expected at most that",
        )
    if not stream.eof:
        raise bad_request(f"the body ends in the middle of its {coding} data; expected all of it")
    if stream.unused_data:
        raise bad_request(f"{len(stream.unused_data)} bytes follow the end of the {coding} data; expected none")
    return plain
