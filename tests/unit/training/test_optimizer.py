"""Our schedules and optimizer states against torch's own classes."""

import pytest
import torch
from torch import nn

from training import optimizer as optimizers
from training.options import OptimizerOptions
from training.schedule import Schedule


def _pair() -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def _backward(module: nn.Module, batch: torch.Tensor) -> None:
    for parameter in module.parameters():
        parameter.grad = None
    module(batch).square().mean().backward()


@pytest.mark.parametrize("total", [10, 11, 440])
def test_one_cycle_and_adamw_equal_torchs(total: int) -> None:
    ours, theirs = _pair()
    options = OptimizerOptions(weight_decay=0.01)
    optimizer, schedule = optimizers.create(list(ours.parameters()), options), Schedule.of(options, total)
    reference = torch.optim.AdamW(theirs.parameters(), 0.01, weight_decay=0.01, fused=True)
    wanted = torch.optim.lr_scheduler.OneCycleLR(reference, 0.01, total_steps=total)
    for step in range(total):
        rate, beta1 = schedule.at(step)
        assert rate == pytest.approx(wanted.get_last_lr()[0], rel=1e-9)
        assert beta1 == pytest.approx(reference.param_groups[0]["betas"][0], rel=1e-9)
        batch = torch.randn(7, 5)
        _backward(ours, batch)
        optimizer.step(rate, beta1)
        _backward(theirs, batch)
        reference.step()
        wanted.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-6, atol=1e-7)


def test_sgd_with_nesterov_momentum_equals_torchs() -> None:
    ours, theirs = _pair()
    options = OptimizerOptions(optimizer="sgd", momentum=0.8, weight_decay=0.1)
    optimizer = optimizers.create(list(ours.parameters()), options)
    reference = torch.optim.SGD(theirs.parameters(), 0.05, momentum=0.8, nesterov=True, weight_decay=0.1)
    for _ in range(10):
        batch = torch.randn(7, 5)
        _backward(ours, batch)
        optimizer.step(0.05, 0.9)
        _backward(theirs, batch)
        reference.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["one_cycle", "cosine", "linear", "constant"])
@pytest.mark.parametrize("total", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 0.9])
def test_every_schedule_stays_within_its_peak(kind: str, total: int, warmup: float) -> None:
    schedule = Schedule.of(OptimizerOptions(schedule=kind, warmup_fraction=warmup), total)
    rates = [schedule.at(step)[0] for step in range(total)]
    assert all(0 < rate <= 0.01 for rate in rates)
    assert all(0.85 <= schedule.at(step)[1] <= 0.95 for step in range(total))
    if total == 100:
        top = rates.index(max(rates))
        assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
        assert (rates[-1] < 0.2 * rates[top]) == (kind != "constant")
