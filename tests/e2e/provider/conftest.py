"""A Pulumi project on moto: the real engine, this provider, everything in temporary folders."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from localaws.pulumi_provider.install import install

COMMAND_TIMEOUT_SECONDS = 120
# Whatever would point elsewhere, or make every Python start without byte code.
UNWANTED = ("AWS_", "PULUMI_", "PYTHONDONTWRITEBYTECODE")
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, kw_only=True)
class Project:
    """One Pulumi project with one stack, and the AWS that it works on."""

    folder: Path
    pulumi: Path
    environment: dict[str, str]
    endpoint: str

    def program(self, text: str) -> None:
        """Makes the program this text, after the usual imports; it ends as quickly as infra/__main__.py does."""
        imports = "import atexit\nimport gc\nimport json\nimport pulumi\nimport pulumi_aws as aws\n"
        (self.folder / "__main__.py").write_text(f"{imports}atexit.register(gc.freeze)\n{text}")

    def run(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """Runs `pulumi` and returns all it printed. Asserts that it fails just when told that it should."""
        done = subprocess.run(
            [str(self.pulumi), *arguments, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def steps(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """Runs an operation and returns the engine's last word on each resource that it touched, by logical name."""
        log = self.folder / "events.json"
        log.unlink(missing_ok=True)
        self.run(*arguments, "--event-log", str(log))
        events = [json.loads(line) for line in log.read_text().splitlines()]
        made = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
        return {step["urn"].rpartition("::")[2]: step for step in made if step["op"] != "same"}

    def up(self) -> dict[str, dict[str, Any]]:
        """`pulumi up` without a preview."""
        return self.steps("up", "--yes", "--skip-preview")

    def state(self) -> dict[str, dict[str, Any]]:
        """The stack's resources by logical name."""
        exported = json.loads(self.run("stack", "export"))
        resources = exported["deployment"].get("resources", [])
        return {resource["urn"].rpartition("::")[2]: resource for resource in resources}

    def client(self, service: str) -> Any:
        """A boto3 client of the same AWS."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=KEYS["AWS_REGION"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture(scope="session")
def pulumi_home(pulumi_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PULUMI_HOME in which `aws` is this provider."""
    home = tmp_path_factory.mktemp("pulumi-home")
    install(pulumi_bin / "pulumi", home, importlib.metadata.version("pulumi-aws"))
    return home


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """A moto server on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def project(tmp_path: Path, pulumi_bin: Path, pulumi_home: Path, endpoint: str) -> Project:
    """An empty project with the stack `test`."""
    state = tmp_path / "state"
    state.mkdir()
    folder = tmp_path / "project"
    folder.mkdir()
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(json.dumps({"name": "demo", "runtime": runtime}))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)},
        **KEYS,
        "AWS_ENDPOINT_URL": endpoint,
        # An older language host does not get the virtualenv option and runs the `python3` that it finds first.
        "PATH": os.pathsep.join([f"{sys.prefix}/bin", str(pulumi_bin), os.environ["PATH"]]),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
        "PULUMI_HOME": str(pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    made = Project(folder=folder, pulumi=pulumi_bin / "pulumi", environment=environment, endpoint=endpoint)
    made.run("stack", "init", "test")
    return made
