"""Encoders and the choice among them."""

import csv
import io
import json

import numpy as np
import pytest

from inference.encode import encode_csv, encode_json, encode_npy, negotiate
from inference.errors import RequestError

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)
LABELS = ("a", 'b, "c"', "d")


def test_json_has_label_score_and_scores_for_each_instance() -> None:
    document = json.loads(encode_json(SCORES, LABELS))
    assert [entry["label"] for entry in document["predictions"]] == ['b, "c"', "a"]
    assert [np.float32(entry["score"]) for entry in document["predictions"]] == [np.float32(0.7), np.float32(0.5)]
    np.testing.assert_array_equal(np.array([entry["scores"] for entry in document["predictions"]], np.float32), SCORES)


def test_csv_quotes_what_needs_it() -> None:
    rows = list(csv.reader(io.StringIO(encode_csv(SCORES, LABELS).decode())))
    assert rows == [['b, "c"', "0.7"], ["a", "0.5"]]


def test_npy_holds_the_scores() -> None:
    np.testing.assert_array_equal(np.load(io.BytesIO(encode_npy(SCORES, LABELS))), SCORES)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/*", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("application/json;q=0.5, application/x-npy", "application/x-npy"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
        ("application/xml, */*;q=0.1", "application/json"),
        ("text/csv;q=nonsense, application/x-npy;q=0.2", "application/x-npy"),
        ("text/csv; charset=utf-8", "text/csv"),
    ],
)
def test_the_best_accepted_type_wins(accept: str, media: str) -> None:
    assert negotiate(accept) == media


@pytest.mark.parametrize("accept", ["application/xml", "text/html, image/*", "application/json;q=0", ",", "q=1"])
def test_nothing_acceptable_is_406(accept: str) -> None:
    with pytest.raises(RequestError) as caught:
        negotiate(accept)
    assert caught.value.status == 406 and "application/json, text/csv, application/x-npy" in caught.value.message
