"""AWS's event stream, as the SDKs read it: application/vnd.amazon.eventstream.

A message: 12 bytes of lengths and their checksum, headers, payload, a checksum of it all (big-endian, CRC-32).
"""

import json
import struct
import zlib

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE = struct.Struct(">II")
_CHECKSUM = struct.Struct(">I")
_STRING = 7  # the type of a header's value


def event(kind: str, payload: bytes) -> bytes:
    """One event with its payload."""
    headers = {":message-type": "event", ":event-type": kind, ":content-type": "application/octet-stream"}
    return _message(headers, payload)


def exception(kind: str, **members: str) -> bytes:
    """A modelled error; it ends the stream."""
    headers = {":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}
    return _message(headers, json.dumps(members).encode())


def _message(headers: dict[str, str], payload: bytes) -> bytes:
    packed = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    total = _PRELUDE.size + _CHECKSUM.size + len(packed) + len(payload) + _CHECKSUM.size
    prelude = _PRELUDE.pack(total, len(packed))
    body = prelude + _CHECKSUM.pack(zlib.crc32(prelude)) + packed + payload
    return body + _CHECKSUM.pack(zlib.crc32(body))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _STRING, len(value)) + value
