"""Answers of KServe's V2 protocol: a program's outputs as tensors, in JSON or as bytes after it.

| task | outputs |
| --- | --- |
| classification | `scores` FP32 [N, labels], `label` BYTES [N] |
| regression | `value` FP32 [N, 1] |
| generation | `latent` FP32 [N, latent] of images, `image` FP32 [N, *shape] of latents |

All of them come where the request names none, as the protocol says. "parameters": {"classification": K} on `scores`
turns it into BYTES [N, K] of `score:index:label`, the best first (Triton's extension). "binary_data": true on an
output, or "binary_data_output": true on the request, asks for bytes.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.formats.decode_numbers import shown
from inference.formats.encode import JSON, NUMPY, Encoded, Encoder, Outputs
from inference.formats.kserve_tensors import BYTES, LENGTH_BYTES, SIZE_PARAMETER, TRITON, TRITON_PARAMETER
from inference.http.errors import bad_request

CLASSIFICATION = "classification"
Values = Outputs | NDArray[np.object_]
Output = Callable[[Outputs], Values]


class Asked(NamedTuple):
    """An output that was asked for: `classes` where as the best ones, and whether as bytes."""

    name: str
    classes: int = 0
    binary: bool = False


class Answer(NamedTuple):
    """What a request wants to be answered with; `model` and `labels` are the model's, `id` is the request's."""

    model: str
    labels: tuple[str, ...]
    id: str | None
    asked: tuple[Asked, ...]

    @property
    def binary(self) -> bool:
        """Whether bytes were asked for."""
        return any(asked.binary for asked in self.asked)

    def json(self, outputs: Outputs) -> bytes:
        """All in JSON."""
        tensors = [self._described(asked, self._values(asked, outputs)) for asked in self.asked]
        return orjson.dumps(self._document(tensors), option=NUMPY)

    def octets(self, outputs: Outputs, *, media: str, everything: bool) -> Encoded:
        """JSON and the bytes of the tensors that were asked for as bytes, or of `everything`."""
        tensors, tails = [], []
        for asked in self.asked:
            values = self._values(asked, outputs)
            if asked.binary or everything:
                tails.append(_octets(values))
                tensors.append(_head(asked.name, values) | {"parameters": {SIZE_PARAMETER: len(tails[-1])}})
            else:
                tensors.append(self._described(asked, values))
        head = orjson.dumps(self._document(tensors), option=NUMPY)
        content_type = f"{TRITON};{TRITON_PARAMETER}{len(head)}" if media == TRITON else media
        return Encoded(
            head + b"".join(tails), {"Inference-Header-Content-Length": str(len(head))}, content_type=content_type
        )

    def _document(self, tensors: list[dict[str, Any]]) -> dict[str, Any]:
        given = {} if self.id is None else {"id": self.id}
        return {"model_name": self.model, **given, "outputs": tensors}

    def _described(self, asked: Asked, values: Values) -> dict[str, Any]:
        data = values.ravel().tolist() if values.dtype == object else np.ascontiguousarray(values).reshape(-1)
        return _head(asked.name, values) | {"data": data}

    def _values(self, asked: Asked, outputs: Outputs) -> Values:
        if asked.classes:
            return _best(outputs, self.labels, asked.classes)
        if asked.name == "label":
            return np.array(self.labels, dtype=object)[outputs.argmax(axis=1)]
        return outputs


def encoders(answer: Answer, media: str) -> dict[str, Encoder]:
    """Media type -> encoder: what was asked for comes first, the client's Accept may say otherwise."""
    octets = functools.partial(answer.octets, media=media, everything=not answer.binary)
    table: dict[str, Encoder] = {JSON: answer.json, media: octets}
    return {media: octets, **table} if answer.binary else table


def asked_of(found: Mapping[str, Any], names: tuple[str, ...], labels: tuple[str, ...]) -> tuple[Asked, ...]:
    """The outputs that a request asks for, out of `names`; raises RequestError."""
    binary = _parameters(found).get("binary_data_output", False)
    outputs = found.get("outputs") or [{"name": name} for name in names]
    if not isinstance(outputs, list) or not all(isinstance(item, dict) for item in outputs):
        raise bad_request(f'outputs is {shown(outputs)}; expected a list of {{"name": one of {", ".join(names)}}}')
    if len(outputs) > len(names):
        raise bad_request(f"{len(outputs)} outputs are asked for; expected each of {', '.join(names)} once")
    asked = tuple(_asked(item, names, labels, binary) for item in outputs)
    if len({item.name for item in asked}) != len(asked):
        raise bad_request(f"an output is asked for twice; expected each of {', '.join(names)} once")
    return asked


def _asked(item: Mapping[str, Any], names: tuple[str, ...], labels: tuple[str, ...], binary: object) -> Asked:
    name, parameters = item.get("name"), _parameters(item)
    if name not in names:
        raise bad_request(f"there is no output {shown(name)}; expected one of {', '.join(names)}")
    classes, binary = parameters.get(CLASSIFICATION, 0), parameters.get("binary_data", binary)
    if type(classes) is not int or classes < 0 or (classes and (not labels or name != "scores")):
        raise bad_request(f"{CLASSIFICATION} of {name} is {shown(classes)}; expected a number from 1, on scores only")
    if not isinstance(binary, bool):
        raise bad_request(f"binary_data of {name} is {shown(binary)}; expected true or false")
    return Asked(name=name, classes=min(classes, len(labels)), binary=binary)


def _parameters(item: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = item.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise bad_request(f"parameters is {shown(parameters)}; expected an object")
    return parameters


def _best(scores: Outputs, labels: tuple[str, ...], count: int) -> Values:
    """(N, count) of `score:index:label`, of equal scores the first label first."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    rows = [
        [f"{row[place]!s}:{place}:{labels[place]}" for place in best] for row, best in zip(scores, order, strict=True)
    ]
    return np.array(rows, dtype=object)


def _head(name: str, values: Values) -> dict[str, Any]:
    datatype = BYTES if values.dtype == object else "FP32"
    return {"name": name, "datatype": datatype, "shape": list(values.shape)}


def _octets(values: Values) -> bytes:
    if values.dtype != object:
        return values.astype("<f4", copy=False).tobytes()
    texts = [str(text).encode() for text in values.ravel()]
    return b"".join(len(text).to_bytes(LENGTH_BYTES, "little") + text for text in texts)
