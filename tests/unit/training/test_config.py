"""Hyperparameters: types, ranges, quoting, models' own defaults, and all problems at once."""

import pytest

from training.config import TrainingConfig, parse_hyperparameters
from training.errors import ConfigError
from training.options import options

NAMES = """
accumulate baseline_significance batch_size brightness channels channels_last checkpoint_every_seconds class_weights
clip_norm compile depth deterministic distributed dropout early_stopping_epochs ema_decay epochs flip formats heads
image_size label_smoothing latent learning_rate log_every_steps max_calibration_error max_export_difference
max_reconstruction max_rmse max_tokens min_accuracy min_auc min_f1 min_r2 model momentum optimizer precision processes
regularization report schedule seed served_precision shift_pixels stream_above_mb target task test_fraction text_column
threads trees validation_fraction vocabulary_size warmup_fraction weight_decay width word_dropout
"""


def test_the_public_surface_of_hyperparameters_is_this() -> None:
    assert sorted(options()) == NAMES.split()


def test_strings_become_typed_values_and_platform_keys_are_ignored() -> None:
    config = parse_hyperparameters(
        {
            "model": '"mlp"',
            "epochs": "3",
            "learning_rate": '"1e-3"',
            "flip": "True",
            "sagemaker_program": '"x.py"',
            "_tuning_x": "1",
        }
    )
    assert (config.model.model, config.loop.epochs, config.optimizer.learning_rate) == ("mlp", 3, 0.001)
    assert config.augment.flip is True
    assert TrainingConfig.of(**config.flat()) == config


def test_a_task_gets_its_first_model_with_that_models_defaults_and_the_user_has_the_last_word() -> None:
    config = parse_hyperparameters({"task": "text-classification", "epochs": "2"})
    assert config.model.model == "fasttext" and config.loop.epochs == 2
    assert config.model.dropout > TrainingConfig().model.dropout == 0


def test_every_problem_is_reported_at_once_with_what_is_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_hyperparameters(
            {"epoch": "3", "model": "resnet", "batch_size": "1.5", "min_accuracy": "98", "flip": "maybe", "zzz": "1"}
        )
    text = str(caught.value)
    assert "epoch: unknown; did you mean 'epochs'?" in text
    assert "model: 'resnet' is unknown; did you mean 'resnet9'?" in text
    assert "batch_size: '1.5' is not a whole number from 1 to" in text
    assert "min_accuracy: '98' is outside the allowed range: a number from 0 to 1" in text
    assert "flip: 'maybe' is not true or false" in text
    assert "zzz: unknown; known are" in text


def test_a_model_of_another_task_is_refused_with_those_that_fit() -> None:
    with pytest.raises(ConfigError, match="model: 'cnn' is for image-classification; for tabular-regression use tab"):
        parse_hyperparameters({"task": "tabular-regression", "model": "cnn"})


@pytest.mark.parametrize("value", ["nan", "inf", "", "abc", "true", None, [1], True])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="learning_rate"):
        parse_hyperparameters({"learning_rate": value})


def test_what_does_not_change_the_weights_does_not_change_the_identity() -> None:
    base = TrainingConfig()
    same = TrainingConfig.of(min_accuracy=0.9, checkpoint_every_seconds=0.0, processes=4, formats="onnx", threads=2)
    assert base.identity("d") == same.identity("d")
    assert base.identity("d") != TrainingConfig.of(seed=1).identity("d")
    assert base.identity("d") != base.identity("e")
