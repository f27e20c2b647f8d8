"""From an S3 object to the mini-batches of one transform job: lines, RecordIO or TFRecord, up to MaxPayloadInMB.

A mini-batch never mixes two objects. RecordIO is MXNet's (dmlc-core, recordio.h), TFRecord is TensorFlow's
(record_writer.h). AWS strips their frames for SingleRecord only (API reference, TransformInput.SplitType).
"""

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

MB_BYTES = 1024 * 1024
RECORDIO_MAGIC = 0xCED7230A
_RECORDIO_WHOLE, _RECORDIO_FIRST, _RECORDIO_LAST = 0, 1, 3
_RECORDIO_HEAD = struct.Struct("<II")  # magic; part in the upper 3 bits, length in the lower 29
_TFRECORD_HEAD = struct.Struct("<QI")  # length and its checksum; another checksum follows the data
_CHECKSUM_BYTES = 4
_WORD_BYTES = 4


class RecordError(ValueError):
    """The object cannot be read as what the job says it is; the text goes to the job's log."""


class Record(NamedTuple):
    """One record: as it stands in the object, and without its frame."""

    framed: bytes
    payload: bytes


def unpack(content: bytes, compression: str) -> bytes:
    """The object's content without its compression ("None" or "Gzip"). Raises RecordError."""
    if compression != "Gzip":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise RecordError(f"Failed to decompress the input as Gzip: {error}") from error


def split(content: bytes, split_type: str) -> Iterator[Record]:
    """The records of an object in its order. Raises RecordError."""
    return _SPLITTERS[split_type](content)


def _whole(content: bytes) -> Iterator[Record]:
    yield Record(content, content)


def _lines(content: bytes) -> Iterator[Record]:
    begin = 0
    while begin < len(content):
        end = content.find(b"\n", begin)
        end = len(content) if end < 0 else end
        yield Record(content[begin : end + 1], content[begin:end])
        begin = end + 1


def _recordio(content: bytes) -> Iterator[Record]:
    at, begin, parts = 0, 0, list[bytes]()
    while at < len(content):
        if len(content) - at < _RECORDIO_HEAD.size:
            raise RecordError(f"Failed to read the input as RecordIO: it ends within the frame at byte {at}")
        magic, word = _RECORDIO_HEAD.unpack_from(content, at)
        part, size = word >> 29, word & (1 << 29) - 1
        data = content[at + _RECORDIO_HEAD.size :][:size]
        if magic != RECORDIO_MAGIC or len(data) < size:
            raise RecordError(f"Failed to read the input as RecordIO: no whole frame at byte {at}")
        at += _RECORDIO_HEAD.size + -(-size // _WORD_BYTES) * _WORD_BYTES
        if part in (_RECORDIO_WHOLE, _RECORDIO_FIRST):
            parts = []
        parts.append(data)
        if part in (_RECORDIO_WHOLE, _RECORDIO_LAST):
            # Data that hold the magic number themselves are cut there; the number stands for the cut.
            yield Record(content[begin:at], struct.pack("<I", RECORDIO_MAGIC).join(parts))
            begin = at


def _tfrecord(content: bytes) -> Iterator[Record]:
    at = 0
    while at < len(content):
        if len(content) - at < _TFRECORD_HEAD.size:
            raise RecordError(f"Failed to read the input as TFRecord: it ends within the frame at byte {at}")
        size, _ = _TFRECORD_HEAD.unpack_from(content, at)
        begin = at + _TFRECORD_HEAD.size
        end = begin + size + _CHECKSUM_BYTES
        if end > len(content):
            raise RecordError(f"Failed to read the input as TFRecord: no whole frame at byte {at}")
        yield Record(content[at:end], content[begin : begin + size])
        at = end


_SPLITTERS: dict[str, Callable[[bytes], Iterator[Record]]] = {
    "None": _whole,
    "Line": _lines,
    "RecordIO": _recordio,
    "TFRecord": _tfrecord,
}
SPLIT_TYPES = tuple(_SPLITTERS)


class Batch(NamedTuple):
    """One request's records and its body."""

    records: Sequence[Record]
    body: bytes


def batches(
    records: Iterator[Record], encode: Callable[[Record], bytes], *, limit_mb: int, single: bool
) -> Iterator[Batch]:
    """Group records into bodies of at most `limit_mb` (0 for no limit); `encode` gives a record's part of the body.

    Raises RecordError for a record that is larger by itself.
    """
    limit = limit_mb * MB_BYTES
    group: list[Record] = []
    parts: list[bytes] = []
    size = 0
    for record in records:
        part = encode(record)
        if limit and len(part) > limit:
            raise RecordError(f"Too much data for max payload size: a record of {len(part)} bytes, allowed {limit}")
        if group and (single or (limit and size + len(part) > limit)):
            yield Batch(group, b"".join(parts))
            group, parts, size = [], [], 0
        group.append(record)
        parts.append(part)
        size += len(part)
    if group:
        yield Batch(group, b"".join(parts))
