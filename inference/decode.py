"""Request body -> batch, by the schema's kind and the content type; a RequestError says what is wrong and expected.

| kind | content types |
| --- | --- |
| image | application/json, application/x-npy, text/csv, image/png, image/jpeg |
| text | application/json, text/plain |
| table | application/json, application/x-npy, text/csv |

Numbers outside an image's value range are accepted: the range describes the training data, and what a model makes of
brighter pixels is the client's business. Infinity is refused, also where float32 overflows; so is NaN, except that a
table's missing value is one.
"""

import functools
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.decode_csv import decode_csv
from inference.decode_image import decode_jpeg, decode_png
from inference.decode_json import decode_json
from inference.decode_npy import decode_npy
from inference.decode_table import decode_table_csv, decode_table_json, decode_table_npy, rows_to_batch
from inference.decode_text import decode_plain_text, decode_text_json
from inference.errors import RequestError
from inference.schema import IMAGE, TABLE, TEXT, InputSchema
from inference.tokenizer import Tokenizer

T = TypeVar("T")
Batch = NDArray[Any]  # float32 (N, *shape), or int64 (N, max_tokens) for texts
Decoder = Callable[[bytes], Batch]
DEFAULT_CONTENT_TYPE = "application/json"

_BY_SCHEMA: dict[str, dict[str, Callable[[bytes, InputSchema], Batch]]] = {
    IMAGE: {
        "application/json": decode_json,
        "application/x-npy": decode_npy,
        "text/csv": decode_csv,
        "image/png": decode_png,
        "image/jpeg": decode_jpeg,
    },
    TABLE: {
        "application/json": decode_table_json,
        "application/x-npy": decode_table_npy,
        "text/csv": decode_table_csv,
    },
}


def decoders(schema: InputSchema, tokenizer: Tokenizer | None = None) -> dict[str, Decoder]:
    """Content type -> decoder of a body; texts need their `tokenizer`."""
    if schema.kind == TEXT:
        assert tokenizer is not None, "a schema of texts comes with a tokenizer"
        return {
            "application/json": functools.partial(decode_text_json, schema=schema, tokenizer=tokenizer),
            "text/plain": functools.partial(decode_plain_text, schema=schema, tokenizer=tokenizer),
        }
    return {media: _bound(decode, schema) for media, decode in _BY_SCHEMA[schema.kind].items()}


def _bound(decode: Callable[[bytes, InputSchema], Batch], schema: InputSchema) -> Decoder:
    return lambda body: decode(body, schema)


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
