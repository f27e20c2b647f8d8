"""Everything that is known of one script job before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.environment import JobPaths
from training.script_mode.cluster import Cluster
from training.script_mode.request import Script


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a script runs."""

    script: Script
    paths: JobPaths
    cluster: Cluster
    gpus: int
    environ: Mapping[str, str]
    """The environment that the job came with; where the toolkit has defaults, what stands here comes first."""

    @property
    def code(self) -> Path:
        """The folder of the source, in which the script runs."""
        return self.paths.base / "code"

    @property
    def hosts(self) -> list[str]:
        """The hosts that train together; the first is the master."""
        return self.cluster.distributed_hosts(self.script.platform)

    @property
    def torchrun(self) -> bool:
        """Whether this host starts the script by torchrun: not one outside of the groups that train together."""
        return self.script.torchrun and self.cluster.current in self.hosts

    @property
    def arguments(self) -> list[str]:
        """The hyperparameters as the script's arguments."""
        return arguments(self.script.hyperparameters)


def arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """--name value, sorted by name (-n value for one letter); a map as a=1,b=2, None as an empty word."""
    words = []
    for name, value in sorted(hyperparameters.items()):
        if isinstance(value, dict):
            value = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
        words += [f"-{name}" if len(name) == 1 else f"--{name}", "" if value is None else str(value)]
    return words
