"""Every command of docs/kubernetes.md runs; of those that need a cluster or a stack, the verb has the options."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from slipway.__main__ import app
from slipway.export.workload import MARGIN_SECONDS, PRE_STOP_SECONDS, STARTUP_SECONDS
from tests.unit.slipway.exports import ROOT, objects, pod
from tests.unit.slipway.test_export_schemas import OLDEST, VERSIONS

TEXT = (ROOT / "docs" / "kubernetes.md").read_text()
PROSE = " ".join(TEXT.split())


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_commands_run_in_order_in_one_shell(tmp_path: Path) -> None:
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    script = "\n".join(blocks("sh"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    files = [*(tmp_path / "k8s").iterdir(), tmp_path / "digits-gpu.yaml"]
    for found in [document for file in files for document in yaml.safe_load_all(file.read_text())]:
        kubernetes_validate.validate(found, OLDEST, strict=True)
    assert yaml.safe_load((tmp_path / "adapter-rule.yaml").read_text())["rules"]["custom"]


@pytest.mark.parametrize(
    "line", [line for block in blocks("console") for line in block.splitlines() if "slipway " in line[:8]]
)
def test_commands_that_need_a_stack_have_the_options_they_are_given(line: str) -> None:
    _, *words = line.split()
    command: Any = get_command(app)
    while words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_options_and_objects_it_names_exist() -> None:
    command: Any = get_command(app)
    verb = command.commands["export"].commands["kubernetes"]
    known = {option for parameter in verb.params for option in parameter.opts} | {"--help"}
    assert set(re.findall(r"`(--[a-z-]+)", TEXT)) <= known
    made = {kind for monitor in ("pod-monitor", "service-monitor") for kind in objects(monitor=monitor)}
    table = TEXT.split("| object |")[1].split("\n\n")[0]
    assert set(re.findall(r"\b([A-Z]\w+[a-z][A-Z]\w+|Deployment|Service)\b(?=[ ,])", table)) >= made
    for path in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (ROOT / "docs" / path).exists(), path


def test_the_numbers_it_names_are_those_of_the_manifests() -> None:
    spec = pod(objects())
    seconds = spec["terminationGracePeriodSeconds"]
    assert f"waits {PRE_STOP_SECONDS} s" in PROSE and f"after {seconds} s in all" in PROSE
    assert seconds == PRE_STOP_SECONDS + 30 + MARGIN_SECONDS and "SECONDS` (30)" in PROSE
    assert f"{STARTUP_SECONDS // 60} minutes after its start" in PROSE
    probe = spec["containers"][0]["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 60 and "for a minute" in PROSE
    oldest, newest = (".".join(version.split(".")[:2]) for version in VERSIONS)
    assert f"Kubernetes {oldest} or newer" in PROSE and f"Kubernetes {oldest} and {newest}," in PROSE
