"""The workflow files: two linters agree with them, and what the linters do not know is checked here."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from slipway.__main__ import app
from slipway.ci.note import LIMIT_VARIABLE

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".github"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((FOLDER / "workflows").glob("*.yml"))}
ACTION = yaml.safe_load((FOLDER / "actions" / "slipway" / "action.yml").read_text())
JOBS = {f"{file}.{name}": job for file, workflow in WORKFLOWS.items() for name, job in workflow["jobs"].items()}
STEPS = [step for job in JOBS.values() for step in job["steps"]] + ACTION["runs"]["steps"]
CHANGING = (
    "deploy.dev",
    "deploy.prod",
    "nightly.dev",
    "nightly.pull-requests",
    "pull-request.close",
    "pull-request.open",
)


def commands() -> list[str]:
    lines = (line.strip() for step in STEPS for line in step.get("run", "").splitlines())
    return [line for line in lines if "slipway ci" in line]


def test_zizmor_finds_nothing() -> None:
    program = Path(sys.prefix) / "bin" / "zizmor"
    done = subprocess.run([program, "--offline", "--quiet", FOLDER], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    built = subprocess.run(
        [sys.executable, ROOT / "tools" / "actionlint" / "build.py"], capture_output=True, text=True, cwd=ROOT
    )
    assert built.returncode == 0, built.stderr
    done = subprocess.run(
        [built.stdout.strip(), "-shellcheck=", "-pyflakes="], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_workflow_for_each_stage() -> None:
    assert set(WORKFLOWS) == {"ci", "deploy", "nightly", "preview", "pull-request"}


def test_every_action_from_elsewhere_is_pinned_by_a_full_commit() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    for action in used:
        assert action.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action


def test_keys_come_by_oidc_only() -> None:
    text = "".join(path.read_text() for path in FOLDER.rglob("*.yml"))
    assert "secrets." not in text and "aws-access-key-id" not in text and "aws-secret-access-key" not in text
    for name, job in JOBS.items():
        assert (job["permissions"].get("id-token") == "write") == (not name.startswith("ci.")), name


def test_nobody_has_a_permission_that_he_does_not_need() -> None:
    commenting = {"preview.preview", "pull-request.open", "pull-request.close"}
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] == {}
    for name, job in JOBS.items():
        writes = {what for what, level in job["permissions"].items() if level == "write"}
        assert writes - {"id-token"} == ({"pull-requests"} if name in commenting else set()), name


@pytest.mark.parametrize("name", CHANGING)
def test_a_run_that_changes_a_stack_tells_its_true_limit_and_is_alone_on_it(name: str) -> None:
    job, workflow = JOBS[name], WORKFLOWS[name.split(".")[0]]
    assert job["env"][LIMIT_VARIABLE] == job["timeout-minutes"]
    concurrency = job.get("concurrency") or workflow["concurrency"]
    assert concurrency["group"].startswith("slipway-") and concurrency["cancel-in-progress"] is False


def test_prod_comes_after_dev_and_behind_an_approval() -> None:
    prod = JOBS["deploy.prod"]
    assert prod["needs"] == "dev" and prod["environment"] == "prod"


def test_a_fork_gets_no_keys() -> None:
    for name, job in JOBS.items():
        triggers = WORKFLOWS[name.split(".")[0]][True]  # YAML 1.1 reads `on` as true
        assert "pull_request_target" not in triggers
        if "pull_request" in triggers and job["permissions"].get("id-token"):
            assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"], name


def test_what_they_call_exists() -> None:
    assert len(commands()) == 7
    for line in commands():
        command: Any = get_command(app)
        words = shlex.split(line.replace("$NUMBER", "7"))[1:]
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context("slipway", words)


def test_a_deploy_stage_installs_neither_torch_nor_the_embedded_aws() -> None:
    (install,) = [step["run"] for step in STEPS if "pip install" in step.get("run", "")]
    assert "-c requirements.lock -e .\n" in install
    project = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[0]
    assert "torch" not in project.split("dependencies = [")[1].replace("no torch", "")


def test_the_stages_and_the_program_import_no_torch() -> None:
    """In an interpreter that cannot import what the default install lacks."""
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "slipway").rglob("*.py")]
    modules = [".".join(path.parts).removesuffix(".__init__") for path in files]
    modules += ["infra.__main__", "infra.policies.pack"]
    blocked = ("torch", "sklearn", "moto", "localaws", "numpy", "uvloop", "training", "inference")
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"for name in {sorted(modules)!r}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
