"""application/json: the document, and where in it the instances are.

| body | instances |
| --- | --- |
| {"instances": [...]} | the items of the list |
| {"inputs": [...]} | the items; a single instance may stand there without a list |
| a list, or a single instance | the items, or that one |

`instances` wins over `inputs`, and either wins over a table's row with a column of that name: such a row has to be
wrapped. Whether a value is one instance or a list of them its outside tells (see each kind's `Reader`). Other keys are
ignored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
from numpy.typing import NDArray

from inference.formats.decode_numbers import shown
from inference.http.errors import bad_request

Batch = NDArray[Any]  # float32 (N, *shape), or int64 (N, max_tokens) for texts


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How the instances of a schema are read from JSON; every complaint of a reader ends in `wanted`."""

    wanted: str
    is_one: Callable[[Any], bool]
    """Whether a value is one instance, as far as its outside tells."""
    read: Callable[[list[Any], bool], Batch]
    """(instances, whether the body may hold true or false) -> batch; raises RequestError."""


def decode_json(body: bytes, reader: Reader) -> Batch:
    """The batch of a body as above; raises RequestError."""
    return reader.read(instances(document(body, reader.wanted), reader), may_hold_truths(body))


def document(body: bytes, wanted: str) -> Any:
    """The body's JSON; NaN, Infinity, half surrogate pairs and 1024 levels of lists are no JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON ({error}); {wanted}") from None


def instances(found: Any, reader: Reader) -> list[Any]:
    """The list of instances in a document."""
    if type(found) is dict:
        if "instances" in found:
            return listed(found, "instances", reader.wanted)
        if "inputs" in found:
            found = found["inputs"]
    if reader.is_one(found):
        return [found]
    if not isinstance(found, list) or not found:
        raise bad_request(f"the body holds {holding(found)}; {reader.wanted}")
    return found


def listed(found: dict[str, Any], key: str, wanted: str) -> list[Any]:
    """The list under `key`, which holds something."""
    items = found[key]
    if not isinstance(items, list) or not items:
        raise bad_request(f"{key} is {'an empty list' if items == [] else type(items).__name__}; {wanted}")
    return items


def holding(found: object) -> str:
    """What a document is, for a message."""
    if isinstance(found, dict):
        return f"keys {shown(list(islice(found, 3)))}"
    return "an empty list" if found == [] else f"a {type(found).__name__}"


def may_hold_truths(body: bytes) -> bool:
    """False where the body has no `true` or `false`, as its letters tell in a fraction of the time of a look at all."""
    return b"r" in body or b"f" in body
