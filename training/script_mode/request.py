"""What a script job asks for: the program, where its source is, and the hyperparameters that are the script's own.

Values are decoded as the toolkit does: what is JSON becomes the value, anything else stays the string it is. SDK v2
sends strings JSON-quoted ("\\"sgd\\""), a stack's configuration sends them bare.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.errors import ConfigError
from training.script_mode import PROGRAM, PROGRAM_VARIABLE

PREFIX = "sagemaker_"
SUBMITTED, SUBMITTED_VARIABLE = "sagemaker_submit_directory", "SAGEMAKER_SUBMIT_DIRECTORY"
OWN_NAMES = ("_tuning_objective_metric", "default_user_module_name")  # the platform's too, without the prefix
TORCHRUN = "sagemaker_torch_distributed_enabled"
PROCESSES = "sagemaker_mpi_num_of_processes_per_host"  # the toolkit reads it for every launcher
OTHER_LAUNCHERS = (
    "sagemaker_mpi_enabled",
    "sagemaker_pytorch_ddp_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
)
# The toolkit's rule: the name is used as a path, as a command's word and, for .sh, in a line for a shell.
SAFE_PROGRAM = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._+-]*(/[A-Za-z0-9._+-]+)*")


@dataclass(frozen=True, kw_only=True)
class Script:
    """One script job."""

    program: str
    """Path of the entry point inside the source, such as train.py or bin/train.sh."""
    submitted: str
    """S3 URI, folder or archive of the source; empty where the job names none."""
    hyperparameters: dict[str, Any]
    """The script's own, decoded."""
    platform: dict[str, Any]
    """Those that begin with sagemaker_, decoded; the script does not get them as arguments."""

    @property
    def torchrun(self) -> bool:
        """Whether the script is started by torchrun."""
        return bool(self.platform.get(TORCHRUN))


def read_request(raw: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Script:
    """The job that these hyperparameters describe. Raises ConfigError."""
    decoded = {name: _decode(value) for name, value in raw.items()}
    platform = {name: value for name, value in decoded.items() if name.startswith(PREFIX) or name in OWN_NAMES}
    for launcher in OTHER_LAUNCHERS:
        if platform.get(launcher):
            raise ConfigError(
                f"hyperparameters: {launcher} is {platform[launcher]!r}; this image starts several processes with "
                f"torchrun only: set {TORCHRUN} to true instead (SDK v2: distribution={{'torch_distributed': "
                "{'enabled': True}})"
            )
    return Script(
        program=_checked(str(environ.get(PROGRAM_VARIABLE) or platform.get(PROGRAM) or "")),
        submitted=str(platform.get(SUBMITTED) or environ.get(SUBMITTED_VARIABLE) or ""),
        hyperparameters={name: value for name, value in decoded.items() if name not in platform},
        platform=platform,
    )


def _decode(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _checked(program: str) -> str:
    if SAFE_PROGRAM.fullmatch(program) and not {".", ".."} & set(program.split("/")):
        return program
    raise ConfigError(
        f"{PROGRAM} is {program!r}; allowed: a path inside the source made of letters, digits and . _ + - /, without "
        "'..' parts and with no '-' or '/' in front, for example train.py or bin/train.sh"
    )
