"""Texts: in JSON, as text/plain (the whole body is one text), as text/csv (one text a row) or as a .npy array.

A short text becomes as many token ids as a long one, so how many may come at once is bounded by the ids' size.
"""

import csv
import io
from http import HTTPStatus
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.formats.decode_json import Reader
from inference.formats.decode_npy import TEXTS, npy_header, npy_values
from inference.formats.decode_numbers import shown
from inference.http.errors import RequestError, bad_request
from inference.manifests.schema import InputSchema
from inference.manifests.tokenizer import Tokenizer

MAX_IDS_BYTES = 64 * 2**20
BYTES_PER_ID = 8
Ids = NDArray[np.int64]  # (N, max_tokens)


def text_reader(schema: InputSchema, tokenizer: Tokenizer) -> Reader:
    """Strings."""
    wanted = 'expected {"instances": [...]}, each instance a string'
    max_tokens = schema.shape[0]
    most = max(1, MAX_IDS_BYTES // (max_tokens * BYTES_PER_ID))

    def read(texts: list[Any], truths: bool) -> Ids:
        if len(texts) > most:
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{len(texts)} texts are too many for one request; expected at most {most}",
            )
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise bad_request(f"instance {number} is {shown(text)}, not a string; {wanted}")
        return tokenizer.encode(texts, max_tokens)

    return Reader(wanted=wanted, is_one=lambda found: isinstance(found, str), read=read)


def decode_plain_text(body: bytes, reader: Reader) -> Ids:
    """Token ids int64 (1, max_tokens) of the body, in UTF-8."""
    text = _decoded(body, "the text", wanted := "expected one text in UTF-8")
    if not text.strip():
        raise bad_request(f"the text is empty; {wanted}")
    return reader.read([text], False)


def decode_text_csv(body: bytes, reader: Reader) -> Ids:
    """Token ids of one text a row, no header line; a text with a comma, quote or line break is quoted."""
    wanted = "expected one text a row in UTF-8, in quotes where it has a comma, a quote or a line break; no header"
    text = _decoded(body, "the CSV", wanted)
    texts = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), start=1):
            if len(row) != 1:
                raise bad_request(f"CSV row {number} has {len(row)} columns; {wanted}")
            texts += row
    except csv.Error as error:
        raise bad_request(f"the CSV cannot be read ({error}); {wanted}") from None
    if not texts:
        raise bad_request(f"the CSV is empty; {wanted}")
    return reader.read(texts, False)


def decode_text_npy(body: bytes, reader: Reader) -> Ids:
    """Token ids of an array of texts, dtype <U..., of shape [] or [N]."""
    wanted = "expected a .npy array of texts (dtype <U...) with shape [N]"
    header, start = npy_header(body, TEXTS, wanted)
    if len(header.shape) > 1 or 0 in header.shape:
        raise bad_request(f"the array has shape {str(list(header.shape))[:100]}; {wanted}")
    values = npy_values(body, header, start, wanted)
    # Four bytes a character, by Python's own decoder: numpy fails with a SystemError where Unicode has no such one.
    octets, size = values.astype(values.dtype.newbyteorder("<")).tobytes(), values.dtype.itemsize
    try:
        texts = [octets[place : place + size].decode("utf-32-le") for place in range(0, len(octets), size)]
    except UnicodeDecodeError as error:
        raise bad_request(f"the array holds what is no text ({error.reason}); {wanted}") from None
    return reader.read([text.rstrip("\0") for text in texts], False)


def _decoded(body: bytes, what: str, wanted: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request(f"{what} has a byte that is not UTF-8 at position {error.start}; {wanted}") from None
