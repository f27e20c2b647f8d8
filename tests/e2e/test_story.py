"""A story told whole, by the real engine: collect images, clean them, train a first model, search for a better one.

The first guess of the learning rate is too small, as first guesses are; the search finds a better one, its best run is
promoted by itself, and `slipway runs --compare` says that the difference is no chance.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.checkout import ROOT, Checkout

pytestmark = pytest.mark.rehearsal

SIDE, A_CLASS = 100, 60  # pixels; images of each digit
FIRST = {"epochs": 10, "depth": 3, "width": 8, "learning_rate": 0.00003, "batch_size": 32, "validation_fraction": 0.2}


def _collect(folder: Path) -> None:
    """Digits of 100 x 100 pixels in colour, by class, with what such a folder always holds besides."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    tint = np.array([1.0, 0.8, 0.6])
    for label in range(10):
        target = folder / f"digit-{label}"
        target.mkdir(parents=True)
        for number, row in enumerate(pixels[labels == label][:A_CLASS]):
            grey = Image.fromarray((row.reshape(8, 8) * (255 / 16)).astype(np.uint8)).resize((SIDE, SIDE))
            Image.fromarray((np.asarray(grey)[:, :, None] * tint).astype(np.uint8)).save(target / f"{number:03}.png")
    (folder / "digit-1" / "broken.png").write_bytes(b"\x89PNG\r\n")
    Image.new("RGB", (40, 40)).save(folder / "digit-2" / "thumbnail.png")
    (folder / "digit-3" / "copy.png").write_bytes((folder / "digit-3" / "000.png").read_bytes())
    (folder / "digit-5" / "wrong.png").write_bytes((folder / "digit-4" / "000.png").read_bytes())
    (folder / "holiday").mkdir()
    Image.new("RGB", (SIDE, SIDE), "red").save(folder / "holiday" / "beach.png")


def _prepare(raw: Path, out: Path) -> dict[str, int]:
    """Reason -> images left out."""
    classes = ",".join(f"digit-{label}" for label in range(10))
    words = [
        "--task",
        "image-classification",
        "--image-size",
        str(SIDE),
        "--channels",
        "3",
        "--minimum-side",
        str(SIDE),
    ]
    subprocess.run(
        [sys.executable, "-m", "training.prepare", str(raw), "--out", str(out), *words, "--classes", classes],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    report = json.loads((out / "report.json").read_text())
    return {reason: found["rows"] for reason, found in report["left_out"].items()}


def test_collect_clean_train_tune_and_the_tuned_one_is_better(running: Checkout) -> None:
    _collect(running.folder / "raw")
    dropped = _prepare(running.folder / "raw", running.folder / "prepared")
    assert dropped == {
        "unreadable": 1,
        "too small": 1,
        "duplicate": 1,
        "not among --classes": 1,
        "the same content in two classes": 2,
    }

    training = {"min_accuracy": 0.1, "hyperparameters": FIRST}
    running.configure(data="./prepared", training=training)
    first_up = running.up()
    assert first_up.code == 0, first_up.text
    first = running.outputs()["run"]

    tuning = {
        "objective": "validation:accuracy",
        "max_jobs": 4,
        "max_parallel_jobs": 1,
        "strategy": "Grid",
        "categorical": {"learning_rate": ["0.0001", "0.001", "0.003", "0.01"]},
    }
    rest = {name: value for name, value in FIRST.items() if name != "learning_rate"}
    running.configure(training=training | {"hyperparameters": rest, "tuning": tuning})
    second_up = running.up()
    assert second_up.code == 0, second_up.text
    tuned = running.outputs()["run"]
    assert tuned != first and tuned in running.outputs()["artifact"]

    compared = json.loads(running.ok("slipway", "runs", "--compare", first, tuned, "--json"))
    accuracy = next(row for row in compared["metrics"] if row["metric"] == "test_accuracy")
    assert compared["same_test_part"] and accuracy["verdict"]["word"] == "better", accuracy
    assert accuracy["second_interval"][0] > accuracy["first_interval"][1], accuracy
    assert "as recorded in the artifact" in running.ok("slipway", "verify")
