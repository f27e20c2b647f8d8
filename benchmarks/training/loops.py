"""The two loops that are compared: ours, as a job runs it, and one with nothing in it that training does not need."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.training.problems import CPU, Problem, tensors
from benchmarks.training.segments import Script, Turns
from training.errors import StoppedError
from training.machine import precision
from training.network import Network
from training.optimizer import BETA2
from training.processes import Processes
from training.progress import Progress
from training.schedule import Schedule
from training.train import Trainer

PLAIN_LEARNING_RATE, PLAIN_BETA1 = 1e-3, 0.9  # torch.optim.AdamW's defaults
IMAGE_DIMENSIONS = 4  # of a batch


def train_ours(problem: Problem, script: Script, folder: Path, device: torch.device = CPU) -> Network:
    """Train until the script or the run ends, whichever comes first; `folder` is for the checkpoints."""
    network = problem.network(device)
    trainer = Trainer(
        config=problem.config,
        data=problem.data,
        processes=Processes(device=device),
        checkpoints=folder,
        stop=Turns(script),
        progress=Progress(report=lambda line: None, bar=False),
    )
    try:
        trainer.train(network)
    except StoppedError:
        pass  # the script has ended
    return network


class Bare:
    """A training loop with batches by index-select from tensors in memory, and nothing else.

    The same model, data, precision, memory layout and schedule as ours, and torch's own fused AdamW. `plain`: what
    torch does unless told otherwise, with its AdamW's defaults and a constant learning rate.
    """

    def __init__(self, problem: Problem, *, device: torch.device = CPU, plain: bool = False) -> None:
        problem = problem.having(precision="fp32", channels_last=False) if plain else problem
        config = problem.config
        self.network = problem.network(device)
        self.precision = precision(config.loop.precision, device)
        self.smoothing = config.optimizer.label_smoothing
        model = self.network.model
        self.model: nn.Module = torch.compile(model) if config.loop.compile else model
        # torch's own autocast as a decorator: no branch and no context for fp32
        cast = torch.autocast(device.type, torch.bfloat16)
        self._forward = self.loss if self.precision == "fp32" else cast(self.loss)
        ours = {} if plain else {"weight_decay": config.optimizer.weight_decay, "fused": True}
        self.optimizer = torch.optim.AdamW(model.parameters(), **ours)
        self.steps = zip(self._batches(problem, device), self._rates(problem, plain), strict=False)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross entropy of one batch."""
        return cross_entropy(self.model(inputs), targets, label_smoothing=self.smoothing)

    def run(self, steps: int) -> None:
        """So many updates."""
        group = self.optimizer.param_groups[0]
        for (inputs, targets), (group["lr"], group["betas"]) in itertools.islice(self.steps, steps):
            self.optimizer.zero_grad()
            self._forward(inputs, targets).backward()
            self.optimizer.step()

    def _batches(self, problem: Problem, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        rows, targets = (values.to(device) for values in tensors(problem.data))
        inputs, size = self.network.preprocess(rows), problem.config.loop.batch_size
        is_last = problem.config.loop.channels_last and inputs.dim() == IMAGE_DIMENSIONS
        inputs = inputs.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
        while True:
            order = torch.randperm(len(targets), device=device)
            for start in range(0, len(targets) - size + 1, size):
                index = order[start : start + size]
                yield inputs.index_select(0, index), targets.index_select(0, index)

    def _rates(self, problem: Problem, plain: bool) -> Iterator[tuple[float, tuple[float, float]]]:
        """(learning rate, betas) of each step, computed before the first one."""
        if plain:
            return itertools.repeat((PLAIN_LEARNING_RATE, (PLAIN_BETA1, BETA2)))
        total = problem.config.loop.epochs * problem.steps_per_epoch
        schedule = Schedule.of(problem.config.optimizer, total)
        values = [schedule.at(step) for step in range(total)]
        return itertools.cycle([(rate, (beta1, BETA2)) for rate, beta1 in values])
