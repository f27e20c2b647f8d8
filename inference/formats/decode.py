"""Request body -> batch, by the schema's kind and the content type; a RequestError says what is wrong and expected.

| kind | content types |
| --- | --- |
| all | application/json, application/x-npy, application/x-npz, text/csv, application/jsonlines |
| image | image/png, image/jpeg |
| text | text/plain |

application/x-ndjson and application/x-jsonlines are other names of application/jsonlines. docs/serving-formats.md shows
each of them. Numbers outside an image's value range are accepted: the range describes the training data, and what a
model makes of brighter pixels is the client's business. Infinity is refused, also where float32 overflows; so is NaN,
except that a table's missing value is one.
"""

import functools
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import numpy as np

from inference.formats.decode_csv import decode_csv
from inference.formats.decode_image import decode_jpeg, decode_png, image_reader
from inference.formats.decode_json import Batch, Reader, decode_json
from inference.formats.decode_lines import decode_lines
from inference.formats.decode_npy import decode_npy
from inference.formats.decode_npz import npz_member
from inference.formats.decode_table import decode_table_csv, decode_table_npy, rows_to_batch, table_reader
from inference.formats.decode_text import decode_plain_text, decode_text_csv, decode_text_npy, text_reader
from inference.http.errors import RequestError
from inference.manifests.schema import IMAGE, TABLE, TEXT, InputSchema
from inference.manifests.tokenizer import Tokenizer

S = TypeVar("S")
T = TypeVar("T")
Decoder = Callable[[bytes], Batch]
JSON, NPY, NPZ = "application/json", "application/x-npy", "application/x-npz"
JSON_LINES = ("application/jsonlines", "application/x-ndjson", "application/x-jsonlines")
DEFAULT_CONTENT_TYPE = JSON

_BY_SCHEMA: dict[str, dict[str, Callable[[bytes, InputSchema], Batch]]] = {  # by kind
    IMAGE: {NPY: decode_npy, "text/csv": decode_csv, "image/png": decode_png, "image/jpeg": decode_jpeg},
    TABLE: {NPY: decode_table_npy, "text/csv": decode_table_csv},
}
_TEXTS: dict[str, Callable[[bytes, Reader], Batch]] = {
    "text/plain": decode_plain_text,
    "text/csv": decode_text_csv,
    NPY: decode_text_npy,
}


def reader_of(schema: InputSchema, tokenizer: Tokenizer | None = None) -> Reader:
    """How instances are read from JSON; texts need their `tokenizer`."""
    if schema.kind == TEXT:
        assert tokenizer is not None, "a schema of texts comes with a tokenizer"
        return text_reader(schema, tokenizer)
    return table_reader(schema) if schema.kind == TABLE else image_reader(schema)


def decoders(schema: InputSchema, tokenizer: Tokenizer | None = None) -> dict[str, Decoder]:
    """Content type -> decoder of a body; texts need their `tokenizer`."""
    reader = reader_of(schema, tokenizer)
    table: dict[str, Decoder] = {JSON: functools.partial(decode_json, reader=reader)}
    if schema.kind == TEXT:
        table |= {media: _bound(decode, reader) for media, decode in _TEXTS.items()}
    else:
        table |= {media: _bound(decode, schema) for media, decode in _BY_SCHEMA[schema.kind].items()}
    decode_array = table[NPY]
    table[NPZ] = lambda body: decode_array(npz_member(body, schema.name))
    return table | dict.fromkeys(JSON_LINES, functools.partial(decode_lines, reader=reader))


def _bound(decode: Callable[[bytes, S], Batch], second: S) -> Decoder:
    return lambda body: decode(body, second)


def choose(table: Mapping[str, T], content_type: str) -> T:
    """The entry for `content_type`, its parameters ignored; no content type at all means JSON."""
    media = content_type.partition(";")[0].strip().lower() or DEFAULT_CONTENT_TYPE
    found = table.get(media)
    if found is None:
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content type {media!r:.100} is not supported; use {', '.join(table)}",
        )
    return found


def batch_of(instances: list[Any], schema: InputSchema, tokenizer: Tokenizer | None = None) -> Batch:
    """The batch of instances that the manifest's reader has found right, as its examples are."""
    if schema.kind == TEXT:
        assert tokenizer is not None, "a schema of texts comes with a tokenizer"
        return tokenizer.encode(instances, schema.shape[0])
    if schema.kind == TABLE:
        return rows_to_batch(instances, schema)
    return np.array(instances, dtype=np.float32)
