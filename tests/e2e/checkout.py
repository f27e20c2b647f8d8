"""A checkout of the project in a temporary folder, driven as a user drives it: `slipway` and `pulumi` as processes.

The packages come from the environment that runs the tests; the files that a stack is made of are copies, so a test can
break them.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from slipway.project import Stack

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "Dockerfile",
    "Pulumi.local.yaml",
    "Pulumi.prod.yaml",
    "Pulumi.yaml",
    "inference",
    "infra",
    "pyproject.toml",
    "requirements.lock",
    "training",
)
TIMEOUT_SECONDS = 300  # a hang, not a slow machine


@dataclass(frozen=True, kw_only=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Checkout:
    """The copy, and what can be done in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        (folder / ".venv").symlink_to(sys.prefix)
        self.environment = {**os.environ, "COLUMNS": "120"}

    def popen(self, *words: str, **options: Any) -> "subprocess.Popen[str]":
        """Start a command of the environment in the checkout."""
        program = [str(Path(sys.prefix) / "bin" / words[0])] if words[0] in ("slipway", "aws") else [words[0]]
        return subprocess.Popen(
            [*program, *words[1:]], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **options,
        )  # fmt: skip

    def run(self, *words: str) -> Done:
        process = self.popen(*words)
        try:
            out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return Done(code=process.returncode, out=out, err=err)

    def shell(self, script: str) -> Done:
        """Run the commands of a page in order, in one shell that stops at the first that fails."""
        env = {**self.environment, "PATH": f"{Path(sys.prefix) / 'bin'}:{self.environment['PATH']}"}
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def ok(self, *words: str) -> str:
        """Run a command that must succeed; its standard output."""
        done = self.run(*words)
        assert done.code == 0, f"{' '.join(words)} ended with {done.code}:\n{done.text}"
        return done.out

    def start(self) -> None:
        """`slipway local start`, and its environment for everything after."""
        self.ok("slipway", "local", "start", "--port", "0")
        shell = ["sh", "-c", f'eval "$({Path(sys.prefix) / "bin" / "slipway"} local env)" && env -0']
        dump = subprocess.run(shell, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True)
        self.environment = dict(pair.split("=", 1) for pair in dump.stdout.split("\0") if "=" in pair)

    def stop(self) -> None:
        self.run("slipway", "local", "stop")

    def up(self, *options: str) -> Done:
        return self.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", *options)

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ok("pulumi", "stack", "output", "--json", "--non-interactive"))
        return found

    def stack(self, name: str = "local") -> Stack:
        """The stack as slipway's own functions take it."""
        env = self.environment
        return Stack(root=self.folder, project="slipway", name=name, region="eu-west-1", environment=env)

    def aws(self, service: str) -> Any:
        """A client of the embedded AWS as its administrator. It never retries: a retry would hide a failed call."""
        env = self.environment
        return boto3.client(
            service,
            region_name="eu-west-1",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def configure(self, **settings: Any) -> None:
        """Change keys of Pulumi.local.yaml; a mapping is merged into the one that is there."""
        file = self.folder / "Pulumi.local.yaml"
        document = yaml.safe_load(file.read_text())
        for name, value in settings.items():
            key = f"slipway:{name}"
            old = document["config"].get(key)
            document["config"][key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        file.write_text(yaml.safe_dump(document))

    def processes(self) -> list[str]:
        """The command lines of all live processes that have to do with this checkout."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes()
                facts = words + (entry / "environ").read_bytes() + bytes((entry / "cwd").readlink())
            except OSError:
                continue  # it ended meanwhile, or it is not ours to look at
            if str(self.folder).encode() in facts and words:
                found.append(f"{entry.name} {words.replace(bytes(1), b' ').decode(errors='replace')}")
        return found
