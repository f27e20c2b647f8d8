"""The embedded AWS as a background process of this checkout: start, stop, what environment points to it.

Its folder (`.slipway/local`) holds the process's record, its log, its state, and the Pulumi state of the local stacks.
Each start begins empty, in AWS and in Pulumi's state alike: the one without the other would be a lie.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slipway import pulumi_cli
from slipway.errors import USAGE, SlipwayError
from slipway.signals import deferred

DEFAULT_PORT = 4588
START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 15.0
# Not the form of a real key: a client that strays to AWS with it is refused at once.
FAKE_KEY = "localaws"
DEFAULT_REGION = "eu-west-1"
PRICES = Path(__file__).with_name("prices") / "book.json"
QUOTAS = Path(__file__).parent / "preflight" / "quotas.json"
STRAY_SETTINGS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


@dataclass(frozen=True, kw_only=True)
class Running:
    """The record of a started embedded AWS."""

    pid: int
    url: str
    started: float


def home_of(root: Path) -> Path:
    """Where a checkout keeps its embedded AWS."""
    return root / ".slipway" / "local"


class LocalAws:
    """One embedded AWS, with everything of it in one folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._record = home / "running.json"
        self._log = home / "localaws.log"
        self._backend = home / "backend-url"

    def running(self) -> Running | None:
        """The record, when its process still answers; a record of a dead one is removed."""
        try:
            record = Running(**json.loads(self._record.read_text()))
        except FileNotFoundError:
            return None
        if _answers(record):
            return record
        self._record.unlink(missing_ok=True)
        return None

    def start(self, port: int) -> Running:
        """Start it on a loopback port (0: a free one) and wait until it answers.

        Raises SlipwayError, with the end of its log, when it does not come up.
        """
        if found := self.running():
            raise SlipwayError(
                f"the embedded AWS is already running at {found.url}; stop it: slipway local stop", USAGE
            )
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "pulumi").mkdir(parents=True)
        command = [sys.executable, "-m", "localaws", "--port", str(port), "--state", str(self.home / "state")]
        command += ["--prices", str(PRICES), "--quotas", str(QUOTAS)]
        process = None
        try:
            with deferred(), self._log.open("wb") as log:
                # Its own session: Ctrl-C in this terminal must not stop it half-way through somebody's deployment.
                process = subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd=self.home
                )
            record = Running(pid=process.pid, url=self._wait_for_url(process), started=time.time())
            self._record.write_text(json.dumps(asdict(record)))
        except BaseException:
            if process:
                _end(process.pid, process)
            raise
        return record

    def _wait_for_url(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SlipwayError(f"the embedded AWS did not start:\n{self.log_tail()}")
            for line in self._log.read_text().splitlines():
                if line.startswith("http://"):
                    return line.strip()
            time.sleep(0.02)
        raise SlipwayError(f"the embedded AWS did not answer within {START_TIMEOUT_SECONDS:.0f} s:\n{self.log_tail()}")

    def log_tail(self, lines: int = 20) -> str:
        """The end of the process's own log."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(f"  {line}" for line in self._log.read_text().splitlines()[-lines:])
        return "  (no log)"

    def stop(self) -> Running | None:
        """Stop it, with every job and server it runs; None when it was not running."""
        found = self.running()
        if found:
            _end(found.pid)
        shutil.rmtree(self.home, ignore_errors=True)
        return found

    def health(self, running: Running) -> dict[str, Any]:
        """What it says of itself."""
        with urllib.request.urlopen(f"{running.url}/_localaws/health", timeout=5) as answer:
            facts: dict[str, Any] = json.load(answer)
        return facts

    def settings(self) -> dict[str, str]:
        """What to set so that every AWS client and `pulumi` use it.

        Raises SlipwayError when it is not running.
        """
        found = self.running()
        if not found:
            raise SlipwayError("the embedded AWS is not running; start it: slipway local start")
        return {
            "AWS_ENDPOINT_URL": found.url,
            "AWS_ACCESS_KEY_ID": FAKE_KEY,
            "AWS_SECRET_ACCESS_KEY": FAKE_KEY,
            "AWS_REGION": DEFAULT_REGION,
            "AWS_DEFAULT_REGION": DEFAULT_REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PULUMI_BACKEND_URL": self.backend_url(),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_HOME": str(pulumi_home()),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def backend_url(self) -> str:
        """Where the local stacks' Pulumi state is: in its folder, or in the bucket that `slipway init` has made."""
        if self._backend.is_file():
            return self._backend.read_text()
        return f"file://{self.home / 'pulumi'}"

    def use_backend(self, url: str) -> None:
        """Keep the local stacks' Pulumi state at `url` from now on, until this embedded AWS stops."""
        self._backend.write_text(url)

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` with the settings, without what would lead a client elsewhere, and with the Pulumi CLI on PATH."""
        kept = {name: value for name, value in base.items() if name not in STRAY_SETTINGS}
        return with_pulumi({**kept, **self.settings()})


def with_pulumi(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with the CLI's folder and this interpreter's first on PATH."""
    return {**environment, "PATH": os.pathsep.join([*tool_folders(), environment.get("PATH", "")])}


def tool_folders() -> list[str]:
    """The folders of the Pulumi CLI and of this interpreter."""
    return [str(pulumi_cli.find() or pulumi_cli.cache_folder()), str(Path(sys.executable).parent)]


def pulumi_home() -> Path:
    """The PULUMI_HOME that holds the light AWS provider and nothing else.

    In the virtual environment: the plugin is a script that starts this very interpreter.
    """
    return Path(sys.prefix) / "pulumi-home"


def _answers(record: Running) -> bool:
    try:
        with urllib.request.urlopen(f"{record.url}/_localaws/health", timeout=5) as answer:
            return bool(json.load(answer)["pid"] == record.pid)
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return False


def _end(pid: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """SIGTERM, on which it stops and reaps its own; SIGKILL to its session when that takes too long."""
    for sent, patience_seconds in ((signal.SIGTERM, STOP_TIMEOUT_SECONDS), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, sent) if sent == signal.SIGKILL else os.kill(pid, sent)
        for _ in _until(patience_seconds):
            if process:
                process.poll()
            if not _alive(pid):
                return


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own child stays a zombie until somebody asks
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _until(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.02)
