"""Hyperparameters: types, ranges, quoting, and all problems at once."""

import dataclasses

import pytest

from training.config import TrainingConfig, parse_hyperparameters
from training.errors import ConfigError


def test_the_public_surface_of_hyperparameters_is_this() -> None:
    assert {option.name: option.default for option in dataclasses.fields(TrainingConfig)} == {
        "model": "cnn",
        "epochs": 20,
        "batch_size": 64,
        "learning_rate": 0.01,
        "width": 24,
        "seed": 0,
        "label_smoothing": 0.1,
        "shift_pixels": 1,
        "weight_decay": 0.01,
        "min_accuracy": 0.0,
        "checkpoint_every_seconds": 30.0,
    }


def test_strings_become_typed_values_and_platform_keys_are_ignored() -> None:
    config = parse_hyperparameters(
        {"model": '"mlp"', "epochs": "3", "learning_rate": '"1e-3"', "sagemaker_program": '"x.py"', "_tuning_x": "1"}
    )
    assert config == TrainingConfig(model="mlp", epochs=3, learning_rate=0.001)


def test_every_problem_is_reported_at_once_with_what_is_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_hyperparameters({"epoch": "3", "model": "resnet", "batch_size": "1.5", "min_accuracy": "98", "zzz": "1"})
    text = str(caught.value)
    assert "epoch: unknown; did you mean 'epochs'?" in text
    assert "model: 'resnet' is not one of cnn, mlp" in text
    assert "batch_size: '1.5' is not a whole number from 2 to 65536" in text
    assert "min_accuracy: '98' is outside the allowed range: a number from 0 to 1" in text
    assert "zzz: unknown; known are model, epochs" in text


@pytest.mark.parametrize("value", ["nan", "inf", "", "abc", "true", None, [1], True])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="learning_rate"):
        parse_hyperparameters({"learning_rate": value})


def test_the_gate_does_not_change_the_identity_but_the_seed_and_the_data_do() -> None:
    base = TrainingConfig()
    assert base.identity("d") == TrainingConfig(min_accuracy=0.9, checkpoint_every_seconds=0.0).identity("d")
    assert base.identity("d") != TrainingConfig(seed=1).identity("d")
    assert base.identity("d") != base.identity("e")
