"""Texts: application/json {"instances": ["a text", ...]}, and text/plain, whose whole body is one text."""

import numpy as np
from numpy.typing import NDArray

from inference.decode_json import document, listed
from inference.errors import bad_request
from inference.schema import InputSchema
from inference.tokenizer import Tokenizer


def decode_text_json(body: bytes, *, schema: InputSchema, tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Token ids int64 (N, max_tokens) of a list of strings."""
    wanted = 'expected {"instances": [...]}, each instance a string'
    texts = listed(document(body, ("instances",), wanted), "instances", wanted)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise bad_request(f"instance {number} is {text!r:.40}, not a string; {wanted}")
    return tokenizer.encode(texts, schema.shape[0])


def decode_plain_text(body: bytes, *, schema: InputSchema, tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Token ids int64 (1, max_tokens) of the body, in UTF-8."""
    wanted = "expected one text in UTF-8"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request(f"the text has a byte that is not UTF-8 at position {error.start}; {wanted}") from None
    if not text.strip():
        raise bad_request(f"the text is empty; {wanted}")
    return tokenizer.encode([text], schema.shape[0])
