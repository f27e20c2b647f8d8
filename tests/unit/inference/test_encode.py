"""Encoders: the outputs of a program in every form that a client may ask for."""

import csv
import io
import json

import numpy as np
from PIL import Image

from inference.encode import (
    image_to_png,
    images_to_json,
    latents_to_json,
    scores_to_csv,
    scores_to_json,
    to_csv,
    to_npy,
    values_to_json,
)
from inference.schema import InputSchema

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)
LABELS = ("a", 'b, "c"', "d")


def test_json_has_label_score_and_scores_for_each_instance() -> None:
    document = json.loads(scores_to_json(SCORES, LABELS))
    assert [entry["label"] for entry in document["predictions"]] == ['b, "c"', "a"]
    assert [np.float32(entry["score"]) for entry in document["predictions"]] == [np.float32(0.7), np.float32(0.5)]
    np.testing.assert_array_equal(np.array([entry["scores"] for entry in document["predictions"]], np.float32), SCORES)


def test_csv_quotes_what_needs_it() -> None:
    rows = list(csv.reader(io.StringIO(scores_to_csv(SCORES, LABELS).decode())))
    assert rows == [['b, "c"', "0.7"], ["a", "0.5"]]


def test_npy_holds_the_outputs() -> None:
    for outputs in (SCORES, SCORES.T, np.zeros((2, 3, 4), np.float32)):
        np.testing.assert_array_equal(np.load(io.BytesIO(to_npy(outputs))), outputs)


def test_values_latents_and_images_in_json() -> None:
    values = np.array([[1.5], [-2e30]], np.float32)
    assert json.loads(values_to_json(values)) == {"predictions": [{"value": 1.5}, {"value": -2e30}]}
    latents = np.arange(4, dtype=np.float32).reshape(2, 2)
    assert json.loads(latents_to_json(latents.T)) == {"predictions": [{"latent": [0, 2]}, {"latent": [1, 3]}]}
    assert json.loads(images_to_json(latents.reshape(1, 2, 2))) == {"images": [[[0, 1], [2, 3]]]}


def test_csv_of_numbers_has_one_instance_a_row() -> None:
    images = np.array([[[0.5, 1], [2, 3]], [[4, 5], [6, 7e-9]]], np.float32)
    assert to_csv(images) == b"0.5,1.0,2.0,3.0\n4.0,5.0,6.0,7e-09\n"


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
