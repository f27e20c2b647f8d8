"""application/jsonlines: one instance a line, bare or under `instance`, `features` or `inputs`; one answer a line.

    {"features": [5.1, 3.5]}
    {"features": [4.9, 3.0]}

`features` is AWS's own name for it (linear learner, DeepAR), `inputs` that of Hugging Face's containers. An object with
one of these keys is never a table's row. The last line may end without a line break; an empty line is an error, for it
would have no answer.
"""

from collections.abc import Callable
from typing import Any

import orjson

from inference.formats.decode_json import Batch, Reader, may_hold_truths
from inference.http.errors import bad_request

KEYS = ("instance", "features", "inputs")


def decode_lines(body: bytes, reader: Reader) -> Batch:
    """The batch of a body as above; raises RequestError with the line that is at fault."""
    return reader.read(lines(body, unwrap, reader.wanted), may_hold_truths(body))


def lines(body: bytes, unwrap: Callable[[Any], Any], wanted: str) -> list[Any]:
    """Each line's JSON as `unwrap` returns it."""
    if not body or body.isspace():
        raise bad_request(f"the body has no line; expected one JSON document a line; {wanted}")
    texts = body.split(b"\n")
    if not texts[-1].strip():
        texts.pop()
    items = []
    for number, text in enumerate(texts):
        try:
            items.append(unwrap(orjson.loads(text)))
        except orjson.JSONDecodeError as error:
            raise bad_request(
                f"line {number + 1} is not JSON ({error}); expected one JSON document a line; {wanted}"
            ) from None
    return items


def unwrap(found: Any) -> Any:
    """The instance of a line."""
    if type(found) is dict:
        for key in KEYS:
            if key in found:
                return found[key]
    return found
