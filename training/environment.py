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
    return _read_config(paths, "hyperparameters.json")


def check_platform(paths: JobPaths) -> None:
    """Refuse what this program cannot do: several hosts, a channel other than File, a missing channel."""
    hosts = _read_config(paths, "resourceconfig.json").get("hosts", ["algo-1"])
    if not isinstance(hosts, list) or len(hosts) != 1:
        raise ConfigError(
            f"resourceconfig.json: hosts is {hosts!r}; this program trains on one host, set InstanceCount to 1"
        )
    channels = _read_config(paths, "inputdataconfig.json")
    if channels and CHANNEL not in channels:
        raise ConfigError(f"inputdataconfig.json: channels are {sorted(channels)}; add a channel named {CHANNEL!r}")
    settings = channels.get(CHANNEL, {})
    mode = settings.get("TrainingInputMode", "File") if isinstance(settings, dict) else settings
    if mode not in ("File", "FastFile"):
        raise ConfigError(f"channel {CHANNEL!r}: TrainingInputMode is {mode!r}; use File or FastFile")


def _read_config(paths: JobPaths, name: str) -> dict[str, Any]:
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
