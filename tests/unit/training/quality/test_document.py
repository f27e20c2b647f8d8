"""metrics.json: plain JSON, and enough in it to compare two runs pair by pair."""

import base64
import hashlib
import json
from typing import Any

import numpy as np
import pytest

from tests.unit.training.quality.scores import classifier, labels
from training.options import GateOptions
from training.quality import Quality, evaluate, example_ids, judge, metrics_document, paired_test


def document(quality: Quality, inputs: np.ndarray, **changes: Any) -> dict[str, Any]:
    baseline = paired_test(quality, quality)
    arguments: dict[str, Any] = {
        "baseline": baseline,
        "history": [{"step": 10, "epoch": 1, "loss": 0.5, "learning_rate": 0.01, "validation_loss": float("nan")}],
        "seconds": {"train": 1.23456},
        "settings": {"model": "cnn", "epochs": 1},
        "ids": example_ids(inputs, np.zeros(len(inputs), np.int64)),
    }
    found = metrics_document(quality, judge(quality, GateOptions(), baseline), **arguments | changes)
    return json.loads(json.dumps(found, allow_nan=False))


def test_a_classification_is_described_in_full() -> None:
    scores, targets = classifier(50, 3, 2.0, 0)
    quality = evaluate("image-classification", scores, targets, ("a", "b", "c"))
    inputs = np.arange(50 * 4).reshape(50, 2, 2).astype(np.uint8)
    found = document(quality, inputs)
    assert found["format"] == 2 and found["task"] == "image-classification" and found["examples"] == 50
    assert found["test_accuracy_low"] < found["test_accuracy"] < found["test_accuracy_high"]
    assert np.array(found["confusion"]).sum() == 50
    assert found["per_class"]["a"]["support"] == int((targets == 0).sum())
    assert found["gate"]["passed"] is True and found["gate"]["checks"][0]["rule"] == "not worse than served"
    assert found["baseline"]["p_value"] == 1.0 and found["baseline"]["difference"] == 0
    assert found["history"][0] == {
        "step": 10, "epoch": 1, "loss": 0.5, "learning_rate": 0.01, "validation_loss": None,
    }  # fmt: skip
    assert found["seconds"] == {"train": 1.2346} and found["settings"] == {"model": "cnn", "epochs": 1}


def test_correctness_comes_back_bit_by_bit_with_ids() -> None:
    scores, targets = classifier(21, 3, 1.0, 0)
    quality = evaluate("image-classification", scores, targets, labels(3))
    inputs = np.arange(21 * 4, dtype=np.float32).reshape(21, 4)
    found = document(quality, inputs)["test_examples"]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(found["correct"]), np.uint8))[:21]
    np.testing.assert_array_equal(bits.astype(bool), scores.argmax(1) == targets)
    raw = base64.b64decode(found["ids"])
    assert len(raw) == 8 * 21 and hashlib.sha256(raw).hexdigest() == found["sha256"]
    assert len(np.unique(np.frombuffer(raw, "<u8"))) == 21


def test_ids_are_of_the_content_alone() -> None:
    inputs, targets = np.arange(12.0).reshape(4, 3), np.arange(4)
    ids = example_ids(inputs, targets)
    order = [2, 0, 3, 1]
    np.testing.assert_array_equal(example_ids(np.asfortranarray(inputs[order]), targets[order]), ids[order])
    assert example_ids(inputs, targets + 1)[0] != ids[0]


def test_regression_keeps_the_errors() -> None:
    quality = evaluate("tabular-regression", np.array([[1.0], [2.0], [5.0]]), np.array([1.0, 2.5, 3.0]), ())
    found = document(quality, np.zeros((3, 2)))
    errors = np.frombuffer(base64.b64decode(found["test_examples"]["errors"]), "<f4")
    np.testing.assert_allclose(errors, [0, 0.25, 4])
    assert "per_class" not in found and found["labels"] == []


def test_a_large_confusion_matrix_is_left_out_and_the_commonest_mistakes_stay() -> None:
    scores, targets = classifier(400, 101, 2.0, 0)
    found = document(evaluate("image-classification", scores, targets, labels(101)), np.arange(400)[:, None])
    assert found["confusion"] is None
    assert len(found["most_confused"]) == 50
    true, called, count = found["most_confused"][0]
    assert true != called and count == ((targets == true) & (scores.argmax(1) == called)).sum()


def test_ids_of_other_examples_are_refused() -> None:
    quality = evaluate("image-classification", *classifier(20, 3, 1.0, 0), labels(3))
    with pytest.raises(ValueError, match="3 ids for 20 test examples; expected 20"):
        document(quality, np.zeros((3, 2)))
