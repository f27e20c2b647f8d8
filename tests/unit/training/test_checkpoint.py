"""Checkpoints: newest valid one of this configuration, damage reported, no partial files, bitwise resume."""

from pathlib import Path

import pytest
import torch

from training import models
from training.checkpoint import CheckpointStore
from training.config import TrainingConfig
from training.errors import ConfigError, DivergedError, StoppedError
from training.loop import LoopState, fit
from training.signals import StopFlag

IDENTITY = "0123456789abcdef"


def _store(folder: Path, lines: list[str] | None = None) -> CheckpointStore:
    return CheckpointStore(folder=folder, identity=IDENTITY, report=print if lines is None else lines.append)


def test_only_the_two_newest_are_kept_and_nothing_half_written(tmp_path: Path) -> None:
    store = _store(tmp_path)
    for step in (1, 5, 30):
        store.save(step, {"step": step, "weights": torch.ones(3)})
    assert [path.name.split("-")[2] for path in sorted(tmp_path.iterdir())] == ["000000005", "000000030"]
    newest = store.newest()
    assert newest is not None and newest["step"] == 30


def test_a_damaged_one_is_reported_and_the_one_before_is_used(tmp_path: Path) -> None:
    lines: list[str] = []
    store = _store(tmp_path, lines)
    store.save(1, {"step": 1})
    damaged = store.save(2, {"step": 2})
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    newest = store.newest()
    assert newest is not None and newest["step"] == 1
    assert len(lines) == 1 and damaged.name in lines[0] and "damaged" in lines[0]


def test_other_configurations_and_files_are_not_touched(tmp_path: Path) -> None:
    other = CheckpointStore(folder=tmp_path, identity="f" * 16, report=print)
    for step in (1, 2):
        other.save(step, {"step": step})
    (tmp_path / f"{IDENTITY}-step-note.pt").write_text("mine")
    store = _store(tmp_path)
    assert store.newest() is None
    for step in (1, 2, 3):
        store.save(step, {"step": step})
    assert len(list(tmp_path.iterdir())) == 5
    assert _store(tmp_path / "nowhere").newest() is None


class StopAt(StopFlag):
    """Asks for a stop after so many looks."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left, self.signal_name = steps, "SIGTERM"

    def __bool__(self) -> bool:
        self.left -= 1
        return self.left == 0


def _data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return torch.rand(100, 8, 8, generator=generator), torch.randint(0, 10, (100,), generator=generator)


def _state(config: TrainingConfig) -> LoopState:
    return LoopState.create(models.build(config.model, config.width, config.seed), config)


@pytest.mark.parametrize("model", ["cnn", "mlp"])
@pytest.mark.parametrize("stops", [[1], [6], [7], [4, 9]])
def test_a_resumed_run_ends_with_bitwise_the_same_weights(tmp_path: Path, model: str, stops: list[int]) -> None:
    config = TrainingConfig(model=model, epochs=3, batch_size=16, width=2)
    images, targets = _data()
    whole = _state(config)
    whole_lines: list[str] = []
    fit(whole, images, targets, config, store=_store(tmp_path), stop=StopFlag(), report=whole_lines.append)

    lines: list[str] = []
    for steps in stops:
        state = _state(config)
        if (saved := _store(tmp_path / "b").newest()) is not None:
            state.restore(saved)
        with pytest.raises(StoppedError, match="SIGTERM"):
            fit(state, images, targets, config, store=_store(tmp_path / "b"), stop=StopAt(steps), report=lines.append)
    last = _state(config)
    saved = _store(tmp_path / "b").newest()
    assert saved is not None and saved["step"] == sum(stops)
    last.restore(saved)
    fit(last, images, targets, config, store=_store(tmp_path / "b"), stop=StopFlag(), report=lines.append)

    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, last.model.state_dict()[name]), name
    for ours, theirs in zip(whole.optimizer.second, last.optimizer.second, strict=True):
        assert torch.equal(ours, theirs)
    without_speed = [line.rpartition(" ")[0] for line in lines]
    assert without_speed[-1] == whole_lines[-1].rpartition(" ")[0]


def test_checkpoints_come_by_time_or_by_epoch(tmp_path: Path) -> None:
    images, targets = _data()
    for seconds, expected in ((0.0, ["000000012", "000000018"]), (1e-9, ["000000017", "000000018"])):
        config = TrainingConfig(epochs=3, batch_size=16, width=2, checkpoint_every_seconds=seconds)
        folder = tmp_path / str(seconds)
        fit(_state(config), images, targets, config, store=_store(folder), stop=StopFlag(), report=print)
        assert [path.name.split("-")[2] for path in sorted(folder.iterdir())] == expected


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    images, targets = _data()
    images[3] = float("nan")
    config = TrainingConfig(batch_size=16, width=2)
    with pytest.raises(DivergedError, match=r"the loss is nan in epoch 1; lower learning_rate \(0\.01\)"):
        fit(_state(config), images, targets, config, store=_store(tmp_path), stop=StopFlag(), report=print)
    assert list(tmp_path.iterdir()) == []


def test_a_batch_larger_than_the_data_is_refused(tmp_path: Path) -> None:
    config = TrainingConfig(batch_size=128, width=2)
    with pytest.raises(ConfigError, match="128 is more than the 100 training images"):
        fit(_state(config), *_data(), config, store=_store(tmp_path), stop=StopFlag(), report=print)
