"""Train one network: from its data set to the weights that will be served.

Data go: part -> Batches (order, preprocessing, views) -> Loop -> weights. The newest checkpoint of an earlier attempt
comes in before the first step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.batches import Batches
from training.config import TrainingConfig
from training.data.types import DataSet
from training.distribute import compiled, distribute, full_weights
from training.loop import Loop
from training.machine import precision, training_threads
from training.network import Network
from training.processes import Processes
from training.progress import Progress
from training.resume import create_store, newest
from training.signals import StopFlag
from training.state import TrainState
from training.validation import Found, validate


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The weights to serve, whole and on the CPU, and the run's history for the report."""

    weights: dict[str, Tensor]
    history: list[dict[str, float]]
    steps: int


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Everything a training needs besides its network. `hosts` > 1: each host holds rows of its own.

    `watch` is called with each line of progress; what it raises ends the training.
    """

    config: TrainingConfig
    data: DataSet
    processes: Processes
    checkpoints: Path
    stop: StopFlag
    progress: Progress
    hosts: int = 1
    watch: Callable[[], None] | None = None

    @property
    def sharded(self) -> bool:
        """Whether each process holds a share of the weights."""
        return self.processes.count > 1 and self.config.loop.distributed == "fsdp"

    def train(self, network: Network) -> Trained:
        """Run the loop to its end. Raises the errors of training.errors."""
        self._settle()
        loop = self._loop(network)
        identity = self.config.identity(self.data.sha256)
        report = self.progress.say
        found = newest(self.checkpoints, identity, self.processes, report, loop.snapshot, sharded=self.sharded)
        if found is not None:
            loop.restore(found)
        if self.processes.is_main:
            report(self._headline(network, loop))
        loop.fit()
        state = loop.state
        weights = {name: value.detach().cpu() for name, value in full_weights(state.served_weights()).items()}
        return Trained(weights=weights, history=state.history, steps=state.step)

    def _settle(self) -> None:
        options = self.config.loop
        torch.set_num_threads(options.threads or training_threads(self.processes.local_count))
        torch.backends.cudnn.benchmark = not options.deterministic
        if options.deterministic:  # the call imports the compiler stack, even to turn it off: 1.2 s
            torch.use_deterministic_algorithms(True)

    def _loop(self, network: Network) -> Loop:
        config, processes, options = self.config, self.processes, self.config.loop
        wrapped = compiled(distribute(network.model, options.distributed, processes), options.compile)
        chosen = precision(options.precision, processes.device)
        state = TrainState.create(network.model, config, chosen)
        torch.manual_seed(options.seed + processes.rank)  # dropout draws differ between processes
        identity = config.identity(self.data.sha256)
        return Loop(
            state=state,
            wrapped=wrapped,
            loss=network.task.loss,
            batches=Batches.create(
                self.data.train,
                network.preprocess,
                config.augment,
                batch_size=options.batch_size,
                seed=options.seed,
                processes=processes,
                hosts=self.hosts,
            ),
            config=config,
            precision=chosen,
            processes=processes,
            store=create_store(self.checkpoints, identity, processes, self.progress.say, sharded=self.sharded),
            stop=self.stop,
            progress=self.progress,
            validate=self._validation(network, state),
            watch=self.watch,
        )

    def _validation(self, network: Network, state: TrainState) -> Callable[[], Found] | None:
        part = self.data.validation
        if part is None:
            return None
        programs = network.programs()
        return lambda: validate(
            self.data.task, network.task, programs, state, part, self.processes, sharded=self.sharded
        )

    def _headline(self, network: Network, loop: Loop) -> str:
        parameters = sum(p.numel() for p in network.model.parameters())
        return (
            f"model={self.config.model.model} parameters={parameters} device={self.processes.device.type} "
            f"processes={self.processes.count} threads={torch.get_num_threads()} precision={loop.precision} "
            f"train_examples={self.data.train.rows} test_examples={self.data.test.rows} "
            f"first_step={loop.state.step + 1}"
        )
