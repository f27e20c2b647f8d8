"""The tensors of a request of KServe's V2 protocol, as JSON or with their values as bytes after it.

    {"id": "7", "inputs": [{"name": "image", "shape": [1, 2, 2], "datatype": "FP32", "data": [0, 1, 2, 3]}]}

With the binary extension an input has "parameters": {"binary_data_size": BYTES} in the place of `data`, the header
Inference-Header-Content-Length says how long the JSON is, and the values follow it in the order of the inputs: little
endian, row by row. SageMaker passes no such header on; there the content type says it (`TRITON`), as AWS's Triton
containers want it.
"""

import functools
import math
from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.formats.decode_json import document, may_hold_truths
from inference.formats.decode_numbers import array_of, as_float32, finite, shown
from inference.http.errors import bad_request

OCTETS = "application/octet-stream"
TRITON = "application/vnd.sagemaker-triton.binary+json"
LENGTH_HEADER = "inference-header-content-length"
TRITON_PARAMETER = "json-header-size="
MAX_RANK = 8
MAX_DIGITS = 10
BYTES, BOOL, BF16 = "BYTES", "BOOL", "BF16"
SIZE_PARAMETER = "binary_data_size"
LENGTH_BYTES = 4
DTYPES = {
    **{
        f"{kind}{bits}": f"<{letter}{bits // 8}"
        for kind, letter in (("INT", "i"), ("UINT", "u"))
        for bits in (8, 16, 32, 64)
    },
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    BF16: "<u2",
}
WANTED = 'expected a V2 request: {"inputs": [{"name", "shape", "datatype", "data"}]}'


class Message(NamedTuple):
    """A request's JSON, the bytes after it, and whether true or false may be in the JSON."""

    found: Any
    tail: memoryview = memoryview(b"")
    truths: bool = True


class Tensor(NamedTuple):
    """One input; its values are `data` as JSON has them (flat, or nested as the shape), or `octets`."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]
    octets: memoryview | None
    truths: bool

    @property
    def size(self) -> int:
        """Number of values that the shape asks for."""
        return math.prod(self.shape)


def is_request(found: Mapping[str, Any]) -> bool:
    """Whether a JSON object's `inputs` are tensors rather than instances."""
    inputs = found.get("inputs")
    return (
        isinstance(inputs, list)
        and bool(inputs)
        and all(isinstance(item, dict) and {"name", "shape", "datatype"} <= item.keys() for item in inputs)
    )


def split(body: bytes, headers: Mapping[str, str]) -> Message:
    """The request in a whole body; raises RequestError."""
    media, _, parameters = headers.get("content-type", "").partition(";")
    length = headers.get(LENGTH_HEADER)
    if media.strip().lower() == TRITON:
        length = parameters.strip().removeprefix(TRITON_PARAMETER)
    elif length is None and media.strip().lower() == OCTETS:
        raise bad_request(f"a body of {OCTETS} needs the header Inference-Header-Content-Length; {WANTED}")
    if length is None:
        return Message(document(body, WANTED), truths=may_hold_truths(body))
    if not (length.isascii() and length.isdigit() and len(length) <= MAX_DIGITS) or int(length) > len(body):
        raise bad_request(
            f"the length of the JSON is {length!r:.40}; expected a number up to {len(body)}, the body's bytes"
        )
    return Message(document(body[: int(length)], WANTED), memoryview(body)[int(length) :])


def tensors(message: Message) -> list[Tensor]:
    """The inputs of a request, checked."""
    found, tail, truths = message
    if not isinstance(found, dict) or not is_request(found):
        raise bad_request(f"the body is no V2 request, it holds {shown(found)}; {WANTED}")
    read, place = [], 0
    for item in found["inputs"]:
        tensor = _tensor(item, tail[place:], truths)
        place += 0 if tensor.octets is None else len(tensor.octets)
        read.append(tensor)
    if place != len(tail):
        raise bad_request(
            f"{len(tail)} bytes follow the JSON, but the inputs' binary_data_size add up to {place}; expected as many"
        )
    if len({tensor.name for tensor in read}) != len(read):
        raise bad_request("two inputs have the same name; expected different ones")
    return read


def numbers_of(tensor: Tensor, shape: tuple[int, ...], *, gaps: bool = False) -> NDArray[np.float32]:
    """float32 (N, *shape) of a tensor of that shape, or of one instance; with `gaps` null and NaN may be among them."""
    wanted = _wanted(shape)
    if tensor.datatype not in DTYPES:
        raise bad_request(f"the datatype is {tensor.datatype!r:.40}; {wanted}")
    if tensor.shape != shape and (tensor.shape[1:] != shape or tensor.shape[0] < 1):
        raise bad_request(f"the shape is {list(tensor.shape)}; {wanted}")
    batch = _listed(tensor, wanted, gaps) if tensor.octets is None else as_float32(_unpacked(tensor, wanted))
    batch = batch.reshape(-1, *shape)
    return batch if gaps else finite(batch)


def column_of(tensor: Tensor) -> list[Any]:
    """The N values of a tensor of shape [N] or [N, 1] as JSON would have them."""
    known = [*DTYPES, BOOL, BYTES]
    wanted = f"expected an input of shape [N] or [N, 1] and of one of the datatypes {', '.join(known)}"
    if tensor.datatype not in known:
        raise bad_request(f"the datatype is {tensor.datatype!r:.40}; {wanted}")
    if tensor.shape[1:] not in ((), (1,)) or tensor.shape[0] < 1:
        raise bad_request(f"the shape is {list(tensor.shape)}; {wanted}")
    if tensor.octets is None:
        values = _flat(tensor.data)
        if len(values) != tensor.shape[0]:
            raise bad_request(f"data has {len(values)} values, the shape asks for {tensor.shape[0]}; {wanted}")
        return values
    return _texts(tensor, wanted) if tensor.datatype == BYTES else _unpacked(tensor, wanted).tolist()


def _tensor(item: dict[str, Any], tail: memoryview, truths: bool) -> Tensor:
    name, shape, datatype = item["name"], item["shape"], item["datatype"]
    parameters = item.get("parameters") or {}
    if not isinstance(name, str) or not isinstance(datatype, str) or not isinstance(parameters, dict):
        raise bad_request(f"an input is {shown(item)}; {WANTED}")
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= MAX_RANK
        or not all(type(side) is int and side >= 0 for side in shape)
    ):
        raise bad_request(f"the shape of {name!r:.40} is {shown(shape)}; expected 1 to {MAX_RANK} numbers from 0")
    size, data = parameters.get(SIZE_PARAMETER), item.get("data")
    if size is None and isinstance(data, list):
        return Tensor(name, datatype, tuple(shape), data, None, truths)
    if data is not None or type(size) is not int or not 0 <= size <= len(tail):
        raise bad_request(
            f"the input {name!r:.40} has data {shown(data)} and {SIZE_PARAMETER} {shown(size)}; expected a list of "
            f"data, or none and a size of up to {len(tail)}, the bytes that are left after the JSON"
        )
    return Tensor(name, datatype, tuple(shape), [], tail[:size], truths)


@functools.lru_cache(maxsize=64)
def _wanted(shape: tuple[int, ...]) -> str:
    one = ", ".join(map(str, shape))
    return f"expected an input of shape [N, {one}] and of one of the datatypes {', '.join(DTYPES)}"


def _flat(data: list[Any]) -> list[Any]:
    """The values of a list, or of a list of lists."""
    return list(chain.from_iterable(data)) if data and all(isinstance(row, list) for row in data) else data


def _listed(tensor: Tensor, wanted: str, gaps: bool) -> NDArray[np.float32]:
    data, shape = tensor.data, tensor.shape
    if gaps:
        data = [math.nan if value is None else value for value in _flat(data)]
    nested = bool(data) and isinstance(data[0], list)
    values = array_of(data, shape if nested else (tensor.size,), wanted, place="data", truths=tensor.truths)
    if "INT" in tensor.datatype:
        limits = np.iinfo(DTYPES[tensor.datatype])
        right = (values == np.floor(values)) & (values >= limits.min) & (values <= limits.max)
        if not right.all():
            raise bad_request(f"data holds {values[~right][0]:g}, which is no {tensor.datatype}; {wanted}")
    return values


def _unpacked(tensor: Tensor, wanted: str) -> NDArray[Any]:
    """The values of the bytes, flat."""
    assert tensor.octets is not None
    dtype = np.dtype(DTYPES.get(tensor.datatype, "?"))
    if len(tensor.octets) != (needed := tensor.size * dtype.itemsize):
        raise bad_request(f"{SIZE_PARAMETER} is {len(tensor.octets)}, the shape and datatype need {needed}; {wanted}")
    values = np.frombuffer(tensor.octets, dtype=dtype)
    # bfloat16 is the upper half of float32.
    return (values.astype(np.uint32) << 16).view(np.float32) if tensor.datatype == BF16 else values


def _texts(tensor: Tensor, wanted: str) -> list[str]:
    """Texts in UTF-8, each after its length in bytes (4 bytes)."""
    assert tensor.octets is not None
    octets, place = tensor.octets, 0
    texts: list[str] = []
    while place < len(octets):
        end = place + LENGTH_BYTES + int.from_bytes(octets[place : place + LENGTH_BYTES], "little")
        if end > len(octets):
            raise bad_request(f"text {len(texts)} ends {end - len(octets)} bytes after its tensor; {wanted}")
        try:
            texts.append(str(octets[place + LENGTH_BYTES : end], "utf-8"))
        except UnicodeDecodeError as error:
            raise bad_request(f"text {len(texts)} is not UTF-8 at its byte {error.start}; {wanted}") from None
        place = end
    if len(texts) != tensor.size:
        raise bad_request(f"the tensor has {len(texts)} texts, the shape asks for {tensor.size}; {wanted}")
    return texts
