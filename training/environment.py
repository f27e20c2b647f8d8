"""Where a job finds and leaves its files: SageMaker's /opt/ml, or any folder named by SAGEMAKER_BASE_DIR.

Layout and meaning of the files: "How Amazon SageMaker Provides Training Information" in the developer guide.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import ConfigError

DEFAULT_BASE_DIR = "/opt/ml"
CHANNEL = "train"


@dataclass(frozen=True, kw_only=True)
class JobPaths:
    """The folders of one job."""

    base: Path

    @property
    def channel(self) -> Path:
        """Folder of the File channel `train`."""
        return self.base / "input" / "data" / CHANNEL

    @property
    def code(self) -> Path:
        """Folder of the optional channel `code`: the user's own models."""
        return self.base / "input" / "data" / "code"

    @property
    def baseline(self) -> Path:
        """Folder of the optional channel `baseline`: the artifact that is served now, as model.tar.gz."""
        return self.base / "input" / "data" / "baseline"

    @property
    def model(self) -> Path:
        """What ends up here becomes model.tar.gz, even when the job is stopped."""
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        """Side outputs; they become output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def failure(self) -> Path:
        """The first 1,024 characters become the job's FailureReason."""
        return self.base / "output" / "failure"

    @property
    def checkpoints(self) -> Path:
        """Synchronised with S3 while the job runs, restored before a restart."""
        return self.base / "checkpoints"


def job_paths(environ: Mapping[str, str] = os.environ) -> JobPaths:
    """Paths of the job this process runs in."""
    return JobPaths(base=Path(environ.get("SAGEMAKER_BASE_DIR") or DEFAULT_BASE_DIR))


def read_hyperparameters(paths: JobPaths) -> dict[str, Any]:
    """The flat map of hyperparameters; empty where the platform wrote none."""
    return read_config(paths, "hyperparameters.json")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The job's hosts, sorted as SageMaker sorts them; `interface` is the network between them."""

    current: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    interface: str = ""

    @property
    def index(self) -> int:
        """This host's place; the first one leads."""
        return self.hosts.index(self.current)


def read_cluster(paths: JobPaths) -> Cluster:
    """The hosts of resourceconfig.json; this one alone where the platform wrote none."""
    found = read_config(paths, "resourceconfig.json")
    hosts, current = found.get("hosts", ["algo-1"]), found.get("current_host", "algo-1")
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts) or current not in hosts:
        raise ConfigError(
            f"resourceconfig.json: hosts is {hosts!r}, current_host {current!r}; it has to be one of them"
        )
    return Cluster(current=current, hosts=tuple(sorted(hosts)), interface=str(found.get("network_interface_name", "")))


def channel_is_sharded(paths: JobPaths) -> bool:
    """Whether each host holds other objects of the training channel."""
    return _channel(paths).get("S3DistributionType") == "ShardedByS3Key"


def check_platform(paths: JobPaths) -> None:
    """Refuse what this program cannot do: a channel other than File or FastFile, a missing channel."""
    channels = read_config(paths, "inputdataconfig.json")
    if channels and CHANNEL not in channels:
        raise ConfigError(f"inputdataconfig.json: channels are {sorted(channels)}; add a channel named {CHANNEL!r}")
    mode = _channel(paths).get("TrainingInputMode", "File")
    if mode not in ("File", "FastFile"):
        raise ConfigError(f"channel {CHANNEL!r}: TrainingInputMode is {mode!r}; use File or FastFile")


def _channel(paths: JobPaths) -> dict[str, Any]:
    found = read_config(paths, "inputdataconfig.json").get(CHANNEL, {})
    return found if isinstance(found, dict) else {"TrainingInputMode": found}


def read_config(paths: JobPaths, name: str) -> dict[str, Any]:
    """The object in one of the platform's files, empty where it wrote none; raises ConfigError for anything else."""
    path = paths.base / "input" / "config" / name
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds a {type(document).__name__}; expected an object")
    return document
