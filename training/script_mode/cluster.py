"""The instances of a job, as resourceconfig.json tells them, and the channels of inputdataconfig.json."""

import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from training.environment import JobPaths, read_config
from training.script_mode.request import TORCHRUN

GROUP = "homogeneousCluster"  # what the platform calls the only group of a job without instance groups
GROUPS_PARAMETER = "sagemaker_distribution_instance_groups"
LIST_GPUS = ("nvidia-smi", "--list-gpus")
LIST_GPUS_SECONDS = 60.0  # a driver that has to wake several GPUs first


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Who takes part. The rank of a host is its place in `hosts`, and the first one is the master."""

    resources: dict[str, Any]
    """resourceconfig.json, or what it would say of one machine."""
    channels: dict[str, Any]
    """inputdataconfig.json: channel -> its settings."""

    @property
    def current(self) -> str:
        return str(self.resources["current_host"])

    @property
    def hosts(self) -> list[str]:
        return sorted(self.resources["hosts"])

    @property
    def instance_type(self) -> str:
        return str(self.resources.get("current_instance_type", "local"))

    @property
    def interface(self) -> str:
        """The network between the hosts."""
        return str(self.resources.get("network_interface_name", "eth0"))

    @property
    def group(self) -> str:
        """The instance group of this host."""
        return str(self.resources.get("current_group_name", GROUP))

    @property
    def groups(self) -> dict[str, dict[str, Any]]:
        """Instance groups by name."""
        return {one["instance_group_name"]: one for one in self.resources.get("instance_groups", [])}

    def distributed_groups(self, platform: dict[str, Any]) -> list[str]:
        """The groups whose hosts train together: those that the job names, else, with a launcher, this host's."""
        return list(platform.get(GROUPS_PARAMETER) or ([self.group] if platform.get(TORCHRUN) else []))

    def distributed_hosts(self, platform: dict[str, Any]) -> list[str]:
        """The hosts that train together, in the order of their ranks."""
        wanted = self.distributed_groups(platform)
        found = {host for name, group in self.groups.items() if name in wanted for host in group.get("hosts", [])}
        return sorted(found) or self.hosts


def read_cluster(paths: JobPaths) -> Cluster:
    """The job's own files; one host called algo-1 where the platform wrote none. Raises ConfigError."""
    resources = {"current_host": "algo-1", "hosts": ["algo-1"]} | read_config(paths, "resourceconfig.json")
    return Cluster(resources=resources, channels=read_config(paths, "inputdataconfig.json"))


def count_gpus() -> int:
    """NVIDIA GPUs of this machine; none where the driver's tool is missing or fails. Without importing torch."""
    if shutil.which(LIST_GPUS[0]) is None:
        return 0
    try:
        listed = subprocess.run(LIST_GPUS, capture_output=True, text=True, check=True, timeout=LIST_GPUS_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
