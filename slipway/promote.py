"""`slipway promote`, `rollback`, `train`: what they change in the stack's file, and the `up` that follows."""

from pathlib import Path

import yaml

from slipway.deploy import up
from slipway.engine import Engine
from slipway.project import Stack
from slipway.verify import verify
from slipway.view import Steps

MODEL_KEY = "slipway:model"
REGISTRY_MODEL = "registry:approved"


def serve_approved(stack: Stack, steps: Steps) -> None:
    """Make registry:approved what the stack serves, move the endpoint to it, and prove it."""
    if model_of(stack) != REGISTRY_MODEL:
        with steps.step("configuration") as step:
            Engine(stack).call("config", "set", MODEL_KEY, REGISTRY_MODEL, "--stack", stack.name)
            step.result = f"{MODEL_KEY} is {REGISTRY_MODEL} now in {config_file(stack).name}; commit it"
    up(stack, steps)
    verify(stack, steps)


def model_of(stack: Stack) -> str:
    """What `slipway:model` says in the stack's file."""
    values = (yaml.safe_load(config_file(stack).read_text()) or {}).get("config", {})
    return str(values.get(MODEL_KEY, "latest"))


def config_file(stack: Stack) -> Path:
    return stack.root / f"Pulumi.{stack.name}.yaml"


def again(stack: Stack) -> int:
    """Raise training.attempt in the stack's file, so that the same content is a new run; returns the new number."""
    values = (yaml.safe_load(config_file(stack).read_text()) or {}).get("config", {})
    attempt = int((values.get("slipway:training") or {}).get("attempt", 1)) + 1
    Engine(stack).call("config", "set", "--path", "slipway:training.attempt", str(attempt), "--stack", stack.name)
    return attempt
