"""The loop: bitwise resume, accumulation, averages, early stopping, spoilt losses, lines."""

import re
from pathlib import Path

import pytest
import torch

from tests.unit.training import toy
from training.config import TrainingConfig
from training.errors import ConfigError, DivergedError, StoppedError
from training.loop import Loop

STEPS = 18  # 3 epochs of 6
RESUMED = [
    {},
    {"optimizer": "sgd", "schedule": "cosine"},
    {"ema_decay": 0.9, "clip_norm": 1.0},
    {"precision": "bf16", "accumulate": 2},
    {"precision": "fp16"},
    {"log_every_steps": 4},
]


def _config(**options: object) -> TrainingConfig:
    return TrainingConfig.of(**{"epochs": 3, "batch_size": 16, **options})


def _weights(loop: Loop) -> list[torch.Tensor]:
    return [*loop.state.current_weights().values(), *(t for ts in loop.state.optimizer.state().values() for t in ts)]


def _resumed(folder: Path, config: TrainingConfig, stops: list[int], lines: list[str]) -> Loop:
    """Stopped after so many steps each time, and a new process for each."""
    for steps in [*stops, 0]:
        loop = toy.make(config, toy.store(folder), stop=toy.StopAt(steps), lines=lines)
        if (saved := toy.store(folder).newest()) is not None:
            loop.restore(saved)
        if steps:
            with pytest.raises(StoppedError, match="SIGTERM at step"):
                loop.fit()
        else:
            loop.fit()
    return loop


@pytest.mark.parametrize("options", RESUMED, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize("stops", [[1], [6], [7], [4, 9]], ids=str)
def test_a_resumed_run_ends_with_bitwise_the_same_weights(
    tmp_path: Path, stops: list[int], options: dict[str, object]
) -> None:
    config, whole_lines, lines = _config(**options), [], []
    whole = toy.make(config, toy.store(tmp_path / "whole"), lines=whole_lines)
    whole.fit()
    resumed = _resumed(tmp_path / "parts", config, stops, lines)
    assert all(torch.equal(a, b) for a, b in zip(_weights(whole), _weights(resumed), strict=True))
    without_speed = [line.rpartition(" ")[0] for line in lines if line.startswith("epoch=")]
    assert without_speed == [line.rpartition(" ")[0] for line in whole_lines]
    assert resumed.state.history == whole.state.history


def test_a_batch_in_parts_gives_the_same_update(tmp_path: Path) -> None:
    weights = []
    for parts in (1, 4):
        loop = toy.make(_config(epochs=1, accumulate=parts), toy.store(tmp_path / str(parts)), build=toy.layers)
        loop.fit()
        weights.append(loop.state.model.state_dict())
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-4, atol=1e-6)
    with pytest.raises(ConfigError, match="a process's batch of 16 cannot be cut into 3 equal parts"):
        toy.make(_config(accumulate=3), toy.store(tmp_path)).fit()


def test_the_average_follows_its_formula(tmp_path: Path) -> None:
    loop = toy.make(_config(epochs=1, ema_decay=0.75), toy.store(tmp_path), build=toy.layers)
    wanted = [value.clone() for value in loop.state.live]
    original = loop.state.average

    def average(decay: float) -> None:
        original(decay)
        for mine, live in zip(wanted, loop.state.live, strict=True):
            mine.mul_(0.75).add_(live, alpha=0.25)

    loop.state.average = average  # type: ignore[method-assign]
    loop.fit()
    for ours, theirs in zip(loop.state.served_weights().values(), wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_early_stopping_keeps_the_best_weights_and_a_restart_trains_no_more(tmp_path: Path) -> None:
    values = iter([0.5, 0.9, 0.8, 0.7, 0.6])
    seen: list[dict[str, torch.Tensor]] = []

    def validate() -> tuple[float, dict[str, float]]:
        seen.append({name: value.clone() for name, value in loop.state.model.state_dict().items()})
        value = next(values)
        return value, {"validation_accuracy": value}

    lines: list[str] = []
    config = _config(epochs=50, early_stopping_epochs=2)
    loop = toy.make(config, toy.store(tmp_path), lines=lines, validate=validate)
    loop.fit()
    assert loop.state.step == 4 * 6 and "stopped early: no better validation since epoch 2" in lines[-2] + lines[-1]
    assert all(torch.equal(value, seen[1][name]) for name, value in loop.state.served_weights().items())
    again = toy.make(config, toy.store(tmp_path), validate=validate)
    saved = toy.store(tmp_path).newest()
    assert saved is not None
    again.restore(saved)
    again.fit()
    assert again.state.step == 24
    assert all(torch.equal(value, seen[1][name]) for name, value in again.state.served_weights().items())


@pytest.mark.parametrize("row_of_step", [1, 8])
def test_a_loss_that_is_no_number_names_its_step_and_leaves_the_last_good_checkpoint(
    tmp_path: Path, row_of_step: int
) -> None:
    loop = toy.make(_config(checkpoint_every_seconds=1e-9), toy.store(tmp_path), build=toy.layers)
    update = loop._update

    def spoilt(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        update(inputs.fill_(float("nan")) if loop.state.step + 1 == row_of_step else inputs, targets)

    loop._update = spoilt  # type: ignore[method-assign]
    with pytest.raises(
        DivergedError, match=rf"the loss is nan at step {row_of_step}/18 .*lower learning_rate \(0\.01\)"
    ):
        loop.fit()
    loop.store.wait()
    saved = toy.store(tmp_path).newest()
    assert (saved["step"] if saved else 0) == row_of_step - 1


def test_checkpoints_come_by_time_or_by_epoch(tmp_path: Path) -> None:
    for seconds, expected in ((0.0, ["000000012", "000000018"]), (1e-9, ["000000017", "000000018"])):
        folder = tmp_path / str(seconds)
        toy.make(_config(checkpoint_every_seconds=seconds), toy.store(folder), build=toy.layers).fit()
        assert [path.name.split("-")[2] for path in sorted(folder.iterdir())] == expected


def test_lines_are_for_people_and_for_regexes(tmp_path: Path) -> None:
    lines: list[str] = []
    toy.make(_config(epochs=2), toy.store(tmp_path), lines=lines).fit()
    pattern = r"epoch=(\d)/2 step=(\d+)/12 loss=\d+\.\d{4} learning_rate=[\d.e-]+ examples_per_second=\d+"
    assert [re.fullmatch(pattern, line)[1] for line in lines] == ["1", "2"]  # type: ignore[index]
