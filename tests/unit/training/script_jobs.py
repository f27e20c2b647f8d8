"""Job folders for the tests of script mode: source, hyperparameters, cluster; and a process that runs one."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training import script_mode
from training.environment import JobPaths, read_hyperparameters

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import sys
from training import script_mode
from training.environment import job_paths, read_hyperparameters
from training.errors import ConfigError
try:
    sys.exit(script_mode.run(job_paths(), read_hyperparameters(job_paths())))
except ConfigError as error:
    sys.exit(f"ConfigError: {error}")
"""
DUMP = """
import json, os, sys
facts = {"arguments": sys.argv[1:], "folder": os.getcwd(), "variables": dict(os.environ)}
with open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "facts.json"), "w") as file:
    json.dump(facts, file)
"""


def job(folder: Path, files: Mapping[str, str], **hyperparameters: str) -> JobPaths:
    """A job whose source lies in /opt/ml/code already."""
    paths = JobPaths(base=folder / "ml")
    write(paths.base / "code", files)
    write_config(paths, "hyperparameters", hyperparameters)
    return paths


def write(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def write_config(paths: JobPaths, name: str, content: Mapping[str, Any]) -> None:
    write(paths.base / "input" / "config", {f"{name}.json": json.dumps(content)})


def run(paths: JobPaths) -> int:
    return script_mode.run(paths, read_hyperparameters(paths))


def start(paths: JobPaths) -> "subprocess.Popen[str]":
    """The same in a process of its own, whose output is a pipe."""
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(paths.base), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", RUN], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def failure(paths: JobPaths) -> list[str]:
    return paths.failure.read_text().splitlines()


def facts(paths: JobPaths) -> dict[str, Any]:
    """What a script of DUMP has seen."""
    found: dict[str, Any] = json.loads((paths.output_data / "facts.json").read_text())
    return found
