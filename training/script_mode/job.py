"""One script job: source, packages, the script itself, and what its end means."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.environment import JobPaths
from training.errors import EXIT_DONE, EXIT_FAILED, EXIT_STOPPED, ConfigError
from training.script_mode.cluster import count_gpus, read_cluster
from training.script_mode.command import Kind, install_command, kind_of, run_command
from training.script_mode.output import Output
from training.script_mode.process import Relay, run_group
from training.script_mode.rendezvous import wait_for_hosts
from training.script_mode.request import read_request
from training.script_mode.setting import Setting
from training.script_mode.source import find_program, prepare_source
from training.script_mode.variables import variables
from training.signals import StopFlag

EXECUTABLE = 0o755


def run_script(paths: JobPaths, hyperparameters: Mapping[str, Any], stop: StopFlag | None = None) -> int:
    """See training.script_mode.run."""
    relay = Relay(stop.signal_name if stop else "")
    with relay.installed():
        setting = Setting(
            script=read_request(hyperparameters),
            paths=paths,
            cluster=read_cluster(paths),
            gpus=count_gpus(),
            environ=dict(os.environ),
        )
        environment = variables(setting)
        commands = _commands(setting, environment)
        for folder in (paths.model, paths.output_data, Path(environment["SM_OUTPUT_INTERMEDIATE_DIR"])):
            folder.mkdir(parents=True, exist_ok=True)
        wait_for_hosts(setting, lambda: relay.received)
        for command in commands:
            code = _run(command, setting, environment, relay)
            if code != EXIT_DONE:
                return code
    (paths.failure.parent / "success").touch()  # the toolkit's marker
    return EXIT_DONE


def _commands(setting: Setting, environment: dict[str, str]) -> list[list[str]]:
    """What is run, in order. Raises ConfigError when source or program are missing."""
    code = prepare_source(setting.script, setting.paths)
    kind = kind_of(setting.script.program, code)
    if kind is not Kind.PACKAGE:
        program = find_program(setting.script, code)
        if kind is Kind.COMMAND:
            program.chmod(EXECUTABLE)  # S3 keeps no modes
    command = run_command(kind, setting, environment)
    return [words for words in (install_command(kind, code), command) if words]


def _run(command: Sequence[str], setting: Setting, environment: dict[str, str], relay: Relay) -> int:
    """Run one command; returns what `train` exits with."""
    if relay.received:
        print(f"stopped by {relay.received}", flush=True)
        return EXIT_STOPPED
    output = Output()
    line = shlex.join(command)
    print(f"running in {setting.code}: {line}", flush=True)
    try:
        code = run_group(command, setting.code, environment, relay, output)
    except OSError as error:
        raise ConfigError(f"the script cannot be started: {error}; its command is {line}") from error
    if code == 0:
        return EXIT_DONE
    if relay.received:
        print(f"stopped by {relay.received}; the script ended with exit code {code}", flush=True)
        return EXIT_STOPPED
    what = "pip install" if "pip" in command[:3] else setting.script.program
    _write_failure(setting.paths, output.cause(what, code), f"{what}: exit code {code}, command: {line}", output)
    return EXIT_FAILED


def _write_failure(paths: JobPaths, cause: str, ending: str, output: Output) -> None:
    """Unless the script has written its own."""
    print(f"{ending}\n{cause}", file=sys.stderr, flush=True)
    if not paths.failure.exists():
        paths.failure.parent.mkdir(parents=True, exist_ok=True)
        paths.failure.write_text(f"{cause}\n\n{ending}\n\n{output.tail()}\n", encoding="utf-8")
