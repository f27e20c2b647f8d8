"""The command lines of a script job: what pip installs first, and what is then run.

Kinds of entry points, as in the toolkit: `x.sh` and anything that is not Python is a command for /bin/sh; beside a
setup.py the program is a module of that package, which is installed; else it is a Python script.
"""

import shlex
import sys
from enum import Enum
from pathlib import Path

from training.errors import ConfigError
from training.script_mode.request import PROCESSES, TORCHRUN
from training.script_mode.setting import Setting

PIP = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check")


class Kind(Enum):
    """What the entry point is."""

    SCRIPT = "a Python script"
    PACKAGE = "a module of a Python package"
    COMMAND = "a command for /bin/sh"


def kind_of(program: str, code: Path) -> Kind:
    """By the name, and by a setup.py beside it."""
    if program.endswith(".sh"):
        return Kind.COMMAND
    if (code / "setup.py").is_file():
        return Kind.PACKAGE
    return Kind.SCRIPT if program.endswith(".py") else Kind.COMMAND


def install_command(kind: Kind, code: Path) -> list[str]:
    """What pip has to install before; empty for nothing. A command looks after itself, as in the toolkit."""
    requirements = ["-r", "requirements.txt"] if (code / "requirements.txt").is_file() else []
    if kind is Kind.PACKAGE:
        return [*PIP, ".", *requirements]
    return [*PIP, *requirements] if kind is Kind.SCRIPT and requirements else []


def run_command(kind: Kind, setting: Setting, environment: dict[str, str]) -> list[str]:
    """The script's own command. Raises ConfigError for what torchrun cannot start."""
    script, words = setting.script, setting.arguments
    if setting.torchrun:
        if kind is not Kind.SCRIPT:
            raise ConfigError(
                f"{TORCHRUN} is true, but sagemaker_program {script.program!r} is {kind.value}; "
                "torchrun starts Python scripts: name a .py file, without a setup.py beside it"
            )
        return [*_torchrun(setting, environment), script.program, *words]
    if kind is Kind.PACKAGE:
        return [sys.executable, "-m", script.program.removesuffix(".py").replace("/", "."), *words]
    if kind is Kind.SCRIPT:
        return [sys.executable, script.program, *words]
    return ["/bin/sh", "-c", shlex.join([f"./{script.program}", *words])]


def _torchrun(setting: Setting, environment: dict[str, str]) -> list[str]:
    hosts, port = setting.hosts, ["--master_port", environment["MASTER_PORT"]]
    words = ["--nnodes", str(len(hosts)), "--nproc_per_node", str(_processes(setting))]
    if len(hosts) > 1:
        rank = str(hosts.index(setting.cluster.current))
        words += ["--master_addr", environment["MASTER_ADDR"], *port, "--node_rank", rank]
    elif setting.environ.get("MASTER_PORT"):
        words += port  # two jobs on one machine would meet at torchrun's own port
    return [sys.executable, "-m", "torch.distributed.run", *words]


def _processes(setting: Setting) -> int:
    """Processes on each host: as the job says, else one for each GPU, else one."""
    named = setting.script.platform.get(PROCESSES)
    if named is None:
        return setting.gpus or 1
    if not isinstance(named, int) or named < 1:
        raise ConfigError(f"{PROCESSES} is {named!r}; give a whole number of at least 1, or leave it out")
    return named
