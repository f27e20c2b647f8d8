"""An export to test with: its options, and how the command is run."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from slipway.export.manifests import manifests
from slipway.export.plan import read_plan

ROOT = Path(__file__).resolve().parents[3]
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/slipway:cpu-0123"
MODEL = "s3://bucket/runs/one/output/model.tar.gz"
GIVEN = {"image": IMAGE, "model": MODEL, "cpu": "2", "memory": "4Gi"}
OPTIONS = [word for option, text in GIVEN.items() for word in (f"--{option}", text)]

Object = dict[str, Any]


def objects(*environment: str, **given: str) -> dict[str, Object]:
    """The manifests of an export by their kind; `given` are options with _ for -."""
    changed = GIVEN | {option.replace("_", "-"): text for option, text in given.items()}
    return {found["kind"]: found for found in manifests(read_plan(changed, environment))}


def pod(found: dict[str, Object]) -> Object:
    """The pod's spec."""
    spec: Object = found["Deployment"]["spec"]["template"]["spec"]
    return spec


def slipway(*words: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "slipway", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)
