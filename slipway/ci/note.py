"""The note that a CI run leaves beside Pulumi's locks while it changes a stack, so that its lock can be judged later.

Pulumi's own lock does not say which run it belongs to, and hosted runners are gone when anybody asks. The note is
`.pulumi/notes/<project>/<stack>/<run>-<attempt>-<pid>.json` in the state backend; a run that ends well removes it.
"""

import getpass
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slipway.errors import USAGE, SlipwayError
from slipway.project import Stack
from slipway.state.files import Files

LIMIT_VARIABLE = "SLIPWAY_CI_LIMIT_MINUTES"
GITHUB_LIMIT_MINUTES = 6 * 60  # the longest that a job on a hosted runner may take


@dataclass(frozen=True, kw_only=True)
class Note:
    """One attempt of a CI run, where it runs, and when it has ended at the latest."""

    id: str
    attempt: int
    url: str
    host: str
    user: str
    boot: str
    started: datetime
    limit_minutes: int

    @property
    def name(self) -> str:
        return f"{self.id} (attempt {self.attempt}, {self.url})"

    @property
    def end(self) -> datetime:
        return self.started + timedelta(minutes=self.limit_minutes)


def this_run(environment: Mapping[str, str], now: datetime) -> Note | None:
    """The CI run that this process is part of; None on a laptop.

    Raises SlipwayError when SLIPWAY_CI_LIMIT_MINUTES, the job's `timeout-minutes`, is no number of minutes.
    """
    run = environment.get("GITHUB_RUN_ID")
    if not run:
        return None
    limit = environment.get(LIMIT_VARIABLE, "") or str(GITHUB_LIMIT_MINUTES)
    if not limit.isdecimal() or not int(limit):
        text = f"{LIMIT_VARIABLE} is {limit!r}; allowed: whole minutes, the same as the job's timeout-minutes"
        raise SlipwayError(text, USAGE)
    server, repository = environment.get("GITHUB_SERVER_URL", ""), environment.get("GITHUB_REPOSITORY", "")
    return Note(
        id=run,
        attempt=int(environment.get("GITHUB_RUN_ATTEMPT", "1")),
        url=f"{server}/{repository}/actions/runs/{run}",
        host=socket.gethostname(),
        user=getpass.getuser(),
        boot=boot_id(),
        started=now,
        limit_minutes=int(limit),
    )


def boot_id() -> str:
    """A name for this boot of this machine, which no other has; empty where the system gives none."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.is_file() else ""


@contextmanager
def noted(files: Files, stack: Stack) -> Iterator[None]:
    """Inside, this CI run's note lies beside the stack's locks; on a laptop there is none."""
    run = this_run(stack.environment, datetime.now(UTC))
    if run is None:
        yield
        return
    name = f"{_folder(stack)}/{run.id}-{run.attempt}-{os.getpid()}.json"
    files.write(name, json.dumps(asdict(run) | {"started": run.started.isoformat()}).encode())
    try:
        yield
    finally:
        files.delete(name)


def notes_of(files: Files, stack: Stack) -> list[Note]:
    """The notes of all CI runs that change this stack, or were killed while they did."""
    notes = []
    for name in files.names(_folder(stack)):
        if content := files.read(name):  # None: that run has just ended
            facts = json.loads(content)
            notes.append(Note(**facts | {"started": datetime.fromisoformat(facts["started"])}))
    return notes


def _folder(stack: Stack) -> str:
    # Below .pulumi, where a role that may deploy the stack may write; Pulumi looks at its own folders only.
    return f".pulumi/notes/{stack.project}/{stack.name}"
