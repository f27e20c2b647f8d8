"""Encoders: the outputs of a program in every form that a client may ask for."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from inference.formats.encode import (
    CSV,
    JSON,
    NPY,
    NPZ,
    encoders,
    image_to_png,
    lines_first,
    scores_to_csv,
    to_csv,
    to_npy,
)
from inference.manifests.manifest import Manifest
from inference.manifests.schema import InputSchema
from tests.unit.inference.conftest import manifest_of

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)
LABELS = ("a", 'b, "c"', "d")
SCHEMA = InputSchema(kind="image", name="x", dtype="float32", shape=(2, 2), minimum=0.0, maximum=1.0)
CLASSIFIER = manifest_of("image-classification", SCHEMA, [], {"predict": "model.pt2"}, labels=LABELS)
REGRESSOR = manifest_of("tabular-regression", SCHEMA, [], {"predict": "model.pt2"})
GENERATOR = manifest_of("image-generation", SCHEMA, [], {"encode": "a.pt2", "decode": "b.pt2"}, latent=2)
LINES = "application/jsonlines"
LATENTS = np.arange(4, dtype=np.float32).reshape(2, 2)
# manifest, program, outputs of two instances
CASES = [
    pytest.param(CLASSIFIER, "predict", SCORES, id="scores"),
    pytest.param(CLASSIFIER, "predict", np.asfortranarray(SCORES[::-1]), id="scores in another order"),
    pytest.param(REGRESSOR, "predict", np.array([[1.5], [-2e30]], np.float32), id="values"),
    pytest.param(GENERATOR, "encode", LATENTS.T, id="latents"),
    pytest.param(GENERATOR, "decode", LATENTS.reshape(2, 1, 2), id="images"),
]


def encoded(manifest: Manifest, program: str, media: str, outputs: np.ndarray) -> bytes:
    body = encoders(manifest, program)[media](outputs)
    assert isinstance(body, bytes)
    return body


def predictions(manifest: Manifest, program: str, outputs: np.ndarray) -> list[dict]:
    answers: list[dict] = json.loads(encoded(manifest, program, JSON, outputs))["predictions"]
    return answers


def test_json_has_label_score_and_scores_for_each_instance() -> None:
    answers = predictions(CLASSIFIER, "predict", SCORES)
    assert [answer["label"] for answer in answers] == ['b, "c"', "a"]
    assert [np.float32(answer["score"]) for answer in answers] == [np.float32(0.7), np.float32(0.5)]
    np.testing.assert_array_equal(np.array([answer["scores"] for answer in answers], np.float32), SCORES)
    assert encoded(CLASSIFIER, "predict", JSON, SCORES).startswith(b'{"predictions":[{"label":"b, ')


def test_values_latents_and_images_in_json() -> None:
    values = np.array([[1.5], [-2e30]], np.float32)
    assert predictions(REGRESSOR, "predict", values) == [{"value": 1.5}, {"value": -2e30}]
    assert predictions(GENERATOR, "encode", LATENTS.T) == [{"latent": [0, 2]}, {"latent": [1, 3]}]
    assert predictions(GENERATOR, "decode", LATENTS.reshape(1, 2, 2)) == [{"image": [[0, 1], [2, 3]]}]


@pytest.mark.parametrize(("manifest", "program", "outputs"), CASES)
def test_lines_are_the_answers_of_json_one_a_line(manifest: Manifest, program: str, outputs: np.ndarray) -> None:
    lines = encoded(manifest, program, LINES, outputs)
    assert lines.endswith(b"\n")
    assert [json.loads(line) for line in lines.splitlines()] == predictions(manifest, program, outputs)


@pytest.mark.parametrize(("manifest", "program", "outputs"), CASES)
def test_the_lines_of_two_batches_are_the_lines_of_both(manifest: Manifest, program: str, outputs: np.ndarray) -> None:
    parts = encoded(manifest, program, LINES, outputs[:1]) + encoded(manifest, program, LINES, outputs[1:])
    assert parts == encoded(manifest, program, LINES, outputs)


@pytest.mark.parametrize(("manifest", "program", "outputs"), CASES)
def test_npy_and_npz_hold_the_outputs(manifest: Manifest, program: str, outputs: np.ndarray) -> None:
    np.testing.assert_array_equal(np.load(io.BytesIO(encoded(manifest, program, NPY, outputs))), outputs)
    with np.load(io.BytesIO(encoded(manifest, program, NPZ, outputs))) as archive:
        np.testing.assert_array_equal(archive[archive.files[0]], outputs)
        if manifest is CLASSIFIER:
            assert archive.files == ["scores", "label"]
            assert archive["label"].tolist() == [answer["label"] for answer in predictions(manifest, program, outputs)]
        else:
            assert archive.files == [{"predict": "value", "encode": "latent", "decode": "image"}[program]]


def test_npy_of_any_shape() -> None:
    for outputs in (SCORES.T, np.zeros((2, 3, 4), np.float32), np.zeros((1, 1), np.float32)):
        body = to_npy(outputs)
        np.testing.assert_array_equal(np.load(io.BytesIO(body)), outputs)
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(outputs))
        assert body == buffer.getvalue()


@pytest.mark.parametrize(("manifest", "program", "outputs"), CASES)
def test_csv_has_one_instance_a_row(manifest: Manifest, program: str, outputs: np.ndarray) -> None:
    rows = list(csv.reader(io.StringIO(encoded(manifest, program, CSV, outputs).decode())))
    if manifest is CLASSIFIER:
        assert [row[0] for row in rows] == [answer["label"] for answer in predictions(manifest, program, outputs)]
    else:
        np.testing.assert_array_equal(np.array(rows, np.float32), outputs.reshape(2, -1))


def test_csv_quotes_what_needs_it() -> None:
    rows = list(csv.reader(io.StringIO(scores_to_csv(SCORES, LABELS).decode())))
    assert rows == [['b, "c"', "0.7"], ["a", "0.5"]]


def test_what_is_not_finite_is_null_in_json_and_nan_in_csv() -> None:
    values = np.array([[np.nan], [np.inf]], np.float32)
    assert predictions(REGRESSOR, "predict", values) == [{"value": None}, {"value": None}]
    assert to_csv(values) == b"nan\nnan\n"


def test_lines_can_be_the_first_choice() -> None:
    table = encoders(CLASSIFIER, "predict")
    assert next(iter(table)) == JSON and next(iter(lines_first(table))) == LINES
    assert lines_first(table) == table


def test_a_png_spans_the_schemas_range_and_cuts_what_is_outside() -> None:
    schema = InputSchema(kind="image", name="x", dtype="float32", shape=(2, 3), minimum=-1.0, maximum=1.0)
    image = np.array([[[-1, 0, 1], [-9, 0.5, 9]]], np.float32)
    pixels = np.asarray(Image.open(io.BytesIO(image_to_png(image, schema))))
    np.testing.assert_array_equal(pixels, [[0, 128, 255], [0, 191, 255]])
    colour = InputSchema(kind="image", name="x", dtype="float32", shape=(1, 2, 3), minimum=0.0, maximum=255.0)
    pixels = np.asarray(
        Image.open(io.BytesIO(image_to_png(np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3), colour)))
    )
    np.testing.assert_array_equal(pixels, np.arange(6).reshape(1, 2, 3))
