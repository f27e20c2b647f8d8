"""A program's outputs -> response body, by task and media type.

| outputs | an answer in JSON | CSV | npy and npz |
| --- | --- | --- | --- |
| scores (N, labels) | {"label", "score", "scores"} | label,score | `scores`; npz also `label` |
| values (N, 1) | {"value"} | the value | `value` |
| latents (N, latent) | {"latent": [...]} | the latent's numbers | `latent` |
| images (N, *shape) | {"image": [...]} | the pixels, row by row | `image` |

application/json is {"predictions": [answer, ...]}, application/jsonlines one answer a line. Lines can be sent as they
come: the answer to two batches is the answers one after the other. One image can also be had as image/png. Numbers that
are not finite are null in JSON.
"""

import functools
import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.formats.decode import JSON_LINES
from inference.manifests.manifest import Manifest
from inference.manifests.records import CLASSIFICATIONS, REGRESSION
from inference.manifests.schema import InputSchema

Outputs = NDArray[np.float32]


class Encoded(NamedTuple):
    """A body that needs headers of its own, or another content type than the one that was negotiated."""

    body: bytes
    headers: Mapping[str, str]
    content_type: str = ""


Encoder = Callable[[Outputs], bytes | Encoded]
Labels = tuple[str, ...]
Answers = Callable[[Outputs], list[dict[str, Any]]]
"""One JSON object for each row; it may hold numpy arrays."""
JSON, CSV, NPY, NPZ, PNG = "application/json", "text/csv", "application/x-npy", "application/x-npz", "image/png"
FULL_SCALE = 255.0
NUMPY = orjson.OPT_SERIALIZE_NUMPY


def output_name(manifest: Manifest, program: str) -> str:
    """What the numbers of a program are called."""
    if manifest.task in CLASSIFICATIONS:
        return "scores"
    if manifest.task == REGRESSION:
        return "value"
    return "latent" if program == "encode" else "image"


def encoders(manifest: Manifest, program: str) -> dict[str, Encoder]:
    """Media type -> encoder of the outputs of the manifest's program, without `PNG`; JSON first."""
    name = output_name(manifest, program)
    labels = manifest.labels
    answers: Answers = functools.partial(score_answers, labels=labels) if labels else _ANSWERS[name]
    to_lines = functools.partial(answers_to_lines, answers=answers)
    return {
        JSON: functools.partial(answers_to_json, answers=answers),
        CSV: functools.partial(scores_to_csv, labels=labels) if labels else to_csv,
        NPY: to_npy,
        **dict.fromkeys(JSON_LINES, to_lines),
        NPZ: functools.partial(to_npz, name=name, labels=labels),
    }


def lines_first(table: Mapping[str, Encoder]) -> dict[str, Encoder]:
    """`table` with JSON lines as what a client gets that says nothing."""
    return {**{media: table[media] for media in JSON_LINES}, **table}


def answers_to_json(outputs: Outputs, answers: Answers) -> bytes:
    """{"predictions": [...]}, one answer for each instance."""
    return orjson.dumps({"predictions": answers(outputs)}, option=NUMPY)


def answers_to_lines(outputs: Outputs, answers: Answers) -> bytes:
    """One answer a line."""
    option = NUMPY | orjson.OPT_APPEND_NEWLINE
    return b"".join([orjson.dumps(answer, option=option) for answer in answers(outputs)])


def score_answers(scores: Outputs, labels: Labels) -> list[dict[str, Any]]:
    """The best label, its score, and the scores of all in the order of the labels."""
    rows = np.ascontiguousarray(scores)
    return [
        {"label": labels[best], "score": row[best], "scores": row}
        for best, row in zip(rows.argmax(axis=1).tolist(), rows, strict=True)
    ]


def value_answers(values: Outputs) -> list[dict[str, Any]]:
    """The value."""
    return [{"value": value} for value in values[:, 0]]


def latent_answers(latents: Outputs) -> list[dict[str, Any]]:
    """The latent of each image."""
    return [{"latent": row} for row in np.ascontiguousarray(latents)]


def image_answers(images: Outputs) -> list[dict[str, Any]]:
    """Each image as nested lists of pixel values of the schema's shape."""
    return [{"image": image} for image in np.ascontiguousarray(images)]


_ANSWERS: dict[str, Answers] = {"value": value_answers, "latent": latent_answers, "image": image_answers}


def scores_to_csv(scores: Outputs, labels: Labels) -> bytes:
    """`label,score` a row; a label with a comma, quote or line break is quoted."""
    best = scores.argmax(axis=1).tolist()
    rows = [f"{_csv_cell(labels[winner])},{row[winner]!s}\n" for winner, row in zip(best, scores, strict=True)]
    return "".join(rows).encode()


def to_csv(outputs: Outputs) -> bytes:
    """The numbers of one instance a row, flattened."""
    text = orjson.dumps(np.ascontiguousarray(outputs.reshape(len(outputs), -1)), option=NUMPY)
    return text[2:-2].replace(b"null", b"nan").replace(b"],[", b"\n") + b"\n"


def to_npy(outputs: Outputs) -> bytes:
    """The outputs as a .npy file of float32."""
    return _npy_header(outputs.shape) + outputs.astype("<f4", copy=False).tobytes()


@functools.lru_cache(maxsize=256)
def _npy_header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def to_npz(outputs: Outputs, name: str, labels: Labels) -> bytes:
    """A .npz file of the array `name`; with labels also the best ones, as the texts `label` (N,)."""
    arrays: dict[str, NDArray[Any]] = {name: outputs}
    if labels:
        arrays["label"] = np.array(labels)[outputs.argmax(axis=1)]
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def image_to_png(images: Outputs, schema: InputSchema) -> bytes:
    """The one image (1, *shape) as a PNG of 8 bits; the range's minimum is black, values outside the range are cut."""
    from PIL import Image

    minimum, maximum = schema.value_range
    pixels = ((images[0] - minimum) * (FULL_SCALE / (maximum - minimum))).clip(0, FULL_SCALE).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _csv_cell(text: str) -> str:
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
