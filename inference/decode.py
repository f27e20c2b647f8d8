"""Request body -> float32 batch (N, *shape), by content type; a RequestError says what is wrong and expected.

Numbers outside the schema's value range are accepted: the range describes the training data, and what a model makes of
brighter pixels is the client's business. NaN and infinity are refused, also where float32 overflows.
"""

from collections.abc import Callable
from http import HTTPStatus

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.decode_csv import decode_csv
from inference.decode_image import decode_jpeg, decode_png
from inference.decode_npy import decode_npy
from inference.errors import RequestError, bad_request
from inference.manifest import InputSchema

Decoder = Callable[[bytes, InputSchema], NDArray[np.float32]]
DEFAULT_CONTENT_TYPE = "application/json"


def decode(body: bytes, content_type: str, schema: InputSchema) -> NDArray[np.float32]:
    """Finite instances of `body`; no content type at all means JSON."""
    media = content_type.partition(";")[0].strip().lower() or DEFAULT_CONTENT_TYPE
    decoder = DECODERS.get(media)
    if decoder is None:
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content type {media!r:.100} is not supported; use {', '.join(DECODERS)}",
        )
    batch = decoder(body, schema)
    if not np.isfinite(batch).all():
        row = int(np.argmin(np.isfinite(batch).reshape(len(batch), -1).all(axis=1)))
        raise bad_request(f"instance {row} holds NaN, infinity or a number too large for float32; send finite numbers")
    return batch


def decode_json(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """{"instances": [...]}, each instance nested lists of numbers of the schema's shape."""
    wanted = f'expected {{"instances": [...]}}, each instance nested lists of numbers of shape {list(schema.shape)}'
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON ({error}); {wanted}") from None
    if not isinstance(document, dict) or "instances" not in document:
        found = f"keys {sorted(document)[:5]}" if isinstance(document, dict) else f"a {type(document).__name__}"
        raise bad_request(f"the body holds {found}; {wanted}")
    instances = document["instances"]
    if not isinstance(instances, list) or not instances:
        raise bad_request(f"instances is {'an empty list' if instances == [] else type(instances).__name__}; {wanted}")
    try:
        batch = np.array(instances)
    except ValueError:  # numpy's word for ragged or too deep
        raise bad_request(f"instances are ragged: {_describe_ragged(instances)}; {wanted}") from None
    if batch.dtype.kind not in "iuf":
        raise bad_request(f"instances hold something other than numbers ({_first_other(instances)}); {wanted}")
    if batch.shape[1:] != schema.shape:
        raise bad_request(f"instances have shape {list(batch.shape[1:])}; {wanted}")
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which `decode` refuses
        return batch.astype(np.float32)


def _describe_ragged(instances: list[object]) -> str:
    lengths = {len(item) if isinstance(item, list) else 0 for item in instances}
    return f"lengths {sorted(lengths)[:5]}" if len(lengths) > 1 else "their rows differ in length"


def _first_other(value: object) -> str:
    """The first leaf that is not a number, shortened; depth is bounded by the JSON parser and numpy's 64 dimensions."""
    while isinstance(value, list) and value:
        value = next((item for item in value if not isinstance(item, (int, float)) or isinstance(item, bool)), value[0])
    return f"{value!r:.40}"


DECODERS: dict[str, Decoder] = {
    "application/json": decode_json,
    "application/x-npy": decode_npy,
    "text/csv": decode_csv,
    "image/png": decode_png,
    "image/jpeg": decode_jpeg,
}
