"""application/json: an object with a list under a key, {"instances": [...]}, each item nested lists of numbers."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.errors import bad_request
from inference.schema import InputSchema


def decode_json(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, *shape) from {"instances": [...]}, each instance nested lists of numbers of the schema's shape."""
    wanted = f'expected {{"instances": [...]}}, each instance nested lists of numbers of shape {list(schema.shape)}'
    return numbers(listed(document(body, ("instances",), wanted), "instances", wanted), schema.shape, wanted)


def document(body: bytes, keys: tuple[str, ...], wanted: str) -> dict[str, Any]:
    """The body's JSON object with one of `keys` in it; `wanted` ends every complaint."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON ({error}); {wanted}") from None
    if not isinstance(found, dict) or not any(key in found for key in keys):
        shown = f"keys {sorted(found)[:5]}" if isinstance(found, dict) else f"a {type(found).__name__}"
        raise bad_request(f"the body holds {shown}; {wanted}")
    return found


def listed(found: dict[str, Any], key: str, wanted: str) -> list[Any]:
    """The list under `key`, which holds something."""
    items = found[key]
    if not isinstance(items, list) or not items:
        raise bad_request(f"{key} is {'an empty list' if items == [] else type(items).__name__}; {wanted}")
    return items


def numbers(instances: list[Any], shape: tuple[int, ...], wanted: str) -> NDArray[np.float32]:
    """Finite float32 (N, *shape) from nested lists."""
    try:
        batch = np.array(instances)
    except ValueError:  # numpy's word for ragged or too deep
        raise bad_request(f"instances are ragged: {_describe_ragged(instances)}; {wanted}") from None
    if batch.dtype.kind not in "iuf":
        raise bad_request(f"instances hold something other than numbers ({_first_other(instances)}); {wanted}")
    if batch.shape[1:] != shape:
        raise bad_request(f"instances have shape {list(batch.shape[1:])}; {wanted}")
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused
        return finite(batch.astype(np.float32))


def finite(batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """`batch` itself; a RequestError names the first instance with NaN or infinity."""
    if not np.isfinite(batch).all():
        row = int(np.argmin(np.isfinite(batch).reshape(len(batch), -1).all(axis=1)))
        raise bad_request(f"instance {row} holds NaN, infinity or a number too large for float32; send finite numbers")
    return batch


def _describe_ragged(instances: list[object]) -> str:
    lengths = {len(item) if isinstance(item, list) else 0 for item in instances}
    return f"lengths {sorted(lengths)[:5]}" if len(lengths) > 1 else "their rows differ in length"


def _first_other(value: object) -> str:
    """The first leaf that is not a number, shortened; depth is bounded by the JSON parser and numpy's 64 dimensions."""
    while isinstance(value, list) and value:
        value = next((item for item in value if not isinstance(item, (int, float)) or isinstance(item, bool)), value[0])
    return f"{value!r:.40}"
