"""What a task, a data set and a config make: an untrained model and what stands around it.

The same is built twice: in the process that trains, and in the helper that traces it for the export. So what it is
built from is a value of its own, the blueprint, which goes from one to the other as bytes.
"""

import dataclasses
import pickle
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from training import models
from training.config import TrainingConfig
from training.data.memory import MemoryPart
from training.data.types import DataSet
from training.export.exporter import Untrained
from training.processes import Processes
from training.tasks import Preprocess, Statistics, Task, create_preprocess, create_task, measure, model_spec

DTYPES = {"float32": torch.float32, "int64": torch.int64}
NO_ROWS = MemoryPart(inputs=torch.empty(0), targets=torch.empty(0))


@dataclass(frozen=True, kw_only=True)
class Network:
    """Raw rows -> `preprocess` -> `model` -> `task`'s loss while training, and its programs when served."""

    task: Task
    preprocess: Preprocess
    model: nn.Module

    def programs(self) -> dict[str, nn.Module]:
        """The served modules around the model itself."""
        return self.task.programs(self.preprocess, self.model)


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """Everything a network is built from; `data` is without its rows."""

    config: TrainingConfig
    data: DataSet
    statistics: Statistics

    @classmethod
    def of(cls, config: TrainingConfig, data: DataSet, processes: Processes) -> "Blueprint":
        """One pass over the training part, where anything of it has to be known."""
        found = measure(data, class_counts=config.optimizer.class_weights == "balanced")
        # Hosts may hold rows of their own; where all hold the same, counting them twice changes no mean.
        statistics = Statistics.merged(processes.gather(found))
        outline = dataclasses.replace(data, train=NO_ROWS, validation=None, test=NO_ROWS, tokenizer=None)
        return cls(config=config, data=outline, statistics=statistics)

    def build(self, device: torch.device) -> Network:
        """Weights drawn from the seed, the same in every process."""
        config, data = self.config, self.data
        preprocess = create_preprocess(data.input, self.statistics)
        torch.manual_seed(config.loop.seed)
        model = models.get(config.model.model).build(model_spec(data, preprocess, config.model))
        # Channels-last makes convolutions on CPUs 1.2 to 1.8 times faster, served ones too; the result is the same.
        layout = torch.channels_last if config.loop.channels_last else torch.contiguous_format
        return Network(
            task=create_task(data, self.statistics, config.optimizer, device),
            preprocess=preprocess.to(device),
            model=model.to(device, memory_format=layout),
        )

    def as_bytes(self) -> bytes:
        """For another process of this job; never for a file."""
        return pickle.dumps(self)


def untrained_programs(blueprint: bytes) -> Mapping[str, Untrained]:
    """The served modules with fresh weights, and what each takes: what the exporter traces."""
    plan: Blueprint = pickle.loads(blueprint)
    network = plan.build(torch.device("cpu"))
    schema = plan.data.input
    takes = {"decode": Untrained(module=nn.Identity(), dtype=torch.float32, shape=(plan.config.model.latent,))}
    rows = Untrained(module=nn.Identity(), dtype=DTYPES[schema.dtype], shape=schema.shape)
    return {
        name: dataclasses.replace(takes.get(name, rows), module=module) for name, module in network.programs().items()
    }
