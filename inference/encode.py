"""A program's outputs -> response body, by task and media type.

| outputs | JSON | CSV | npy |
| --- | --- | --- | --- |
| scores (N, labels) | {"predictions": [{"label", "score", "scores"}]} | label,score | the scores |
| values (N, 1) | {"predictions": [{"value"}]} | the value | the values |
| latents (N, latent) | {"predictions": [{"latent": [...]}]} | the latent's numbers | the latents |
| images (N, *shape) | {"images": [...]} | the pixels, row by row | the images |

One image can also be had as image/png.
"""

import functools
import io
from collections.abc import Callable

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.manifest import Manifest
from inference.records import CLASSIFICATIONS, REGRESSION
from inference.schema import InputSchema

Outputs = NDArray[np.float32]
Encoder = Callable[[Outputs], bytes]
Labels = tuple[str, ...]
JSON, CSV, NPY, PNG = "application/json", "text/csv", "application/x-npy", "image/png"
FULL_SCALE = 255.0


def encoders(manifest: Manifest, program: str) -> dict[str, Encoder]:
    """Media type -> encoder of the outputs of the manifest's program, without `PNG`."""
    if manifest.task in CLASSIFICATIONS:
        scores = functools.partial(scores_to_json, labels=manifest.labels)
        return {JSON: scores, CSV: functools.partial(scores_to_csv, labels=manifest.labels), NPY: to_npy}
    if manifest.task == REGRESSION:
        return {JSON: values_to_json, CSV: to_csv, NPY: to_npy}
    if program == "encode":
        return {JSON: latents_to_json, CSV: to_csv, NPY: to_npy}
    return {JSON: images_to_json, CSV: to_csv, NPY: to_npy}


def scores_to_json(scores: Outputs, labels: Labels) -> bytes:
    """{"predictions": [{"label", "score", "scores"}]}, one for each instance, scores in the order of the labels."""
    best = scores.argmax(axis=1)
    predictions = [
        {"label": labels[winner], "score": row[winner], "scores": row} for winner, row in zip(best, scores, strict=True)
    ]
    return orjson.dumps({"predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def scores_to_csv(scores: Outputs, labels: Labels) -> bytes:
    """`label,score` a row; a label with a comma, quote or line break is quoted."""
    best = scores.argmax(axis=1)
    rows = [f"{_csv_cell(labels[winner])},{row[winner]!s}\n" for winner, row in zip(best, scores, strict=True)]
    return "".join(rows).encode()


def values_to_json(values: Outputs) -> bytes:
    """{"predictions": [{"value": x}]}, one for each instance."""
    predictions = [{"value": row[0]} for row in values]
    return orjson.dumps({"predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def latents_to_json(latents: Outputs) -> bytes:
    """{"predictions": [{"latent": [...]}]}, one for each image."""
    predictions = [{"latent": row} for row in np.ascontiguousarray(latents)]
    return orjson.dumps({"predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def images_to_json(images: Outputs) -> bytes:
    """{"images": [...]}, each nested lists of pixel values of the schema's shape."""
    return orjson.dumps({"images": np.ascontiguousarray(images)}, option=orjson.OPT_SERIALIZE_NUMPY)


def image_to_png(images: Outputs, schema: InputSchema) -> bytes:
    """The one image (1, *shape) as a PNG of 8 bits; the range's minimum is black, values outside the range are cut."""
    from PIL import Image

    minimum, maximum = schema.value_range
    pixels = ((images[0] - minimum) * (FULL_SCALE / (maximum - minimum))).clip(0, FULL_SCALE).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def to_csv(outputs: Outputs) -> bytes:
    """The numbers of one instance a row, flattened."""
    rows = (",".join(map(str, row)) for row in outputs.reshape(len(outputs), -1))
    return "".join(f"{row}\n" for row in rows).encode()


def to_npy(outputs: Outputs) -> bytes:
    """The outputs as a .npy file of float32."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(outputs, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


def _csv_cell(text: str) -> str:
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
