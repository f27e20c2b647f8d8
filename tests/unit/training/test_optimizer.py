"""Our schedule and optimizer state against torch's own classes."""

import pytest
import torch
from torch import nn

from training.optimizer import AdamW, one_cycle


@pytest.mark.parametrize("total", [10, 11, 440])
def test_schedule_and_updates_equal_torchs(total: int) -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    optimizer = AdamW.create(list(ours.parameters()), weight_decay=0.01)
    reference = torch.optim.AdamW(theirs.parameters(), 0.01, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(reference, 0.01, total_steps=total)
    for step in range(total):
        rate, beta1 = one_cycle(step, total, 0.01)
        assert rate == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        assert beta1 == pytest.approx(reference.param_groups[0]["betas"][0], rel=1e-9)
        batch = torch.randn(7, 5)
        gradients = torch.autograd.grad(ours(batch).square().mean(), optimizer.parameters)
        optimizer.step(list(gradients), rate, beta1)
        reference.zero_grad()
        theirs(batch).square().mean().backward()
        reference.step()
        schedule.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_very_short_runs_have_a_schedule(total: int) -> None:
    for step in range(total):
        rate, beta1 = one_cycle(step, total, 0.01)
        assert 0 < rate <= 0.01 and 0.85 <= beta1 <= 0.95
