"""Which checkout, project and stack a verb works on, and how it reaches AWS for it."""

import os
import re
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from slipway.errors import USAGE, SlipwayError
from slipway.local import LocalAws, home_of, with_pulumi

READ_TIMEOUT_SECONDS = 70  # SageMaker gives an invocation 60
_MAKING = threading.Lock()  # boto3's clients are safe among threads, its sessions are not


def root() -> Path:
    """The checkout: the nearest folder, from here upwards, with a Pulumi.yaml; else the one this code lies in."""
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parent.parent):
        if (folder / "Pulumi.yaml").is_file():
            return folder
    raise SlipwayError(f"no Pulumi.yaml in {here} or above it; run this inside a checkout of the project", USAGE)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One stack of the project, and the environment in which its verbs run."""

    root: Path
    project: str
    name: str
    region: str
    environment: dict[str, str]

    @property
    def prefix(self) -> str:
        """The beginning of every name in AWS."""
        return f"{self.project}-{self.name}"

    @property
    def local(self) -> bool:
        return is_local(self.name)

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=self.environment.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=self.environment.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=self.environment.get("AWS_SESSION_TOKEN"),
            region_name=self.region,
        )

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str) -> Any:
        """The boto3 client of a service for this stack's account and region, or for the embedded AWS."""
        with _MAKING:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        url = self.environment.get("AWS_ENDPOINT_URL")
        retries: Any = {"mode": "standard", "total_max_attempts": 3}
        config = Config(read_timeout=READ_TIMEOUT_SECONDS, retries=retries)
        return self._session.client(service, endpoint_url=url, config=config)


def is_local(stack: str) -> bool:
    """Whether a stack of this name runs on the embedded AWS."""
    return stack == "local" or stack.startswith("local-")


def open_stack(name: str, local: LocalAws | None = None) -> Stack:
    """The stack called `name`, with its region; a local one gets the running embedded AWS as its environment.

    Raises SlipwayError when its configuration is missing or the embedded AWS is not running.
    """
    folder = root()
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"]
    config = folder / f"Pulumi.{name}.yaml"
    if not config.is_file():
        known = sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in folder.glob("Pulumi.*.yaml"))
        raise SlipwayError(f"no stack {name!r}: {config.name} does not exist; there are: {', '.join(known)}", USAGE)
    if is_local(name):
        environment = (local or LocalAws(home_of(folder))).environment(os.environ)
    else:
        environment = with_pulumi(os.environ)
    values = (yaml.safe_load(config.read_text()) or {}).get("config", {})
    region = str(values.get("aws:region") or environment.get("AWS_REGION", ""))
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
        raise SlipwayError(f"aws:region in {config.name} is {region!r}; set it, for example to eu-west-1", USAGE)
    return Stack(root=folder, project=project, name=name, region=region, environment=environment)
