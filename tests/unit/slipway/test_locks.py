"""A lock is released when its owner is known to have ended, and never otherwise."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slipway.ci.note import LIMIT_VARIABLE, Note, noted, notes_of, this_run
from slipway.engine_failure import Failure
from slipway.errors import SlipwayError
from slipway.locks import Here, Lock, alive, judge, release_stale
from slipway.project import Stack
from slipway.state.files import Folder

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STARTED = NOW - timedelta(minutes=30)


def lock(**facts: object) -> Lock:
    values = {"file": "lock.json", "pid": 7, "user": "runner", "host": "vm", "since": NOW - timedelta(minutes=20)}
    return Lock(**(values | facts))  # type: ignore[arg-type]


def note(**facts: object) -> Note:
    values = {"id": "100", "attempt": 1, "url": "u", "host": "vm", "user": "runner", "boot": "b1", "started": STARTED}
    return Note(**({"limit_minutes": 60} | values | facts))  # type: ignore[arg-type]


def here(*, run: Note | None = None, host: str = "vm", boot: str = "b2", lives: bool = False) -> Here:
    return Here(host=host, boot=boot, alive=lambda pid: lives, now=NOW, run=run)


THIS = note(id="200", boot="b2", started=NOW)
CASES: dict[str, tuple[bool, Lock, list[Note], Here]] = {
    "a dead process of this laptop": (True, lock(), [], here()),
    "a live process of this laptop": (False, lock(), [], here(lives=True)),
    "another machine": (False, lock(host="other"), [], here()),
    "the same host name on a CI runner": (False, lock(), [], here(run=THIS)),
    "a CI run within its time": (False, lock(), [note()], here(run=THIS)),
    "a CI run within its time, seen from a laptop": (False, lock(), [note()], here(host="laptop")),
    "a CI run whose time is over": (True, lock(), [note(limit_minutes=25)], here(run=THIS)),
    "a CI run whose time is over by seconds": (False, lock(), [note(limit_minutes=30)], here(run=THIS)),
    "an earlier attempt of this run": (True, lock(), [note(id="200")], here(run=note(id="200", attempt=2))),
    "a later attempt of this run": (False, lock(), [note(id="200", attempt=3)], here(run=note(id="200", attempt=2))),
    "a dead process of a CI run on this boot": (True, lock(), [note(boot="b2")], here(run=THIS)),
    "a live process of a CI run on this boot": (False, lock(), [note(boot="b2")], here(run=THIS, lives=True)),
    "a process that lives longer than its run may": (
        False,
        lock(),
        [note(boot="b2", limit_minutes=25)],
        here(run=THIS, lives=True),
    ),
    "one of two runs that share a host name lives": (False, lock(), [note(limit_minutes=25), note(id="2")], here()),
    "a note from before this lock's run": (False, lock(), [note(limit_minutes=5)], here(run=THIS)),
    "a note of another user": (False, lock(host="vm"), [note(user="other", limit_minutes=25)], here(run=THIS)),
}


@pytest.mark.parametrize("case", CASES)
def test_whether_the_owner_has_ended(case: str) -> None:
    ended, held, notes, place = CASES[case]
    verdict = judge(held, notes, place)
    assert verdict.ended is ended and verdict.reason


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"}
    return Stack(root=tmp_path, project="slipway", name="dev", region="eu-west-1", environment=environment)


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "state")


def put(files: Folder, name: str, *, pid: int, host: str = "") -> str:
    """A lock as Pulumi writes it."""
    facts = {"pid": pid, "username": "ann", "hostname": host or socket.gethostname()}
    file = f".pulumi/locks/organization/slipway/dev/{name}.json"
    files.write(file, json.dumps(facts | {"timestamp": "2026-11-21T12:00:00.123456789+01:00"}).encode())
    return file


@pytest.fixture
def dead() -> int:
    """The number of a process that has just ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def pulumi(tmp_path: Path) -> Iterator[int]:
    """The number of a live process called pulumi."""
    program = tmp_path / "pulumi"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_an_unlocked_stack_is_left_alone(stack: Stack) -> None:
    assert release_stale(stack) == []


def test_a_dead_owners_lock_goes_and_its_owner_is_told(stack: Stack, files: Folder, dead: int) -> None:
    file = put(files, "a", pid=dead)
    (released,) = release_stale(stack)
    assert released.lock.owner.startswith("ann on ") and released.lock.since.hour == 11
    assert f"process {dead} of this machine has ended" in released.reason
    assert files.read(file) is None


def test_a_live_owners_lock_stays_and_the_stale_one_beside_it_goes(
    stack: Stack, files: Folder, pulumi: int, dead: int
) -> None:
    live, stale = put(files, "live", pid=pulumi), put(files, "stale", pid=dead)
    with pytest.raises(SlipwayError, match=rf"stack dev is locked by ann on .* \(pid {pulumi}\) since 2026-11-21 11"):
        release_stale(stack)
    assert files.read(live) is not None and files.read(stale) is None


def test_the_refusal_says_where_to_go(stack: Stack, files: Folder, dead: int) -> None:
    file = put(files, "a", pid=dead, host="elsewhere")
    with pytest.raises(SlipwayError) as caught:
        release_stale(stack)
    for words in ("ann on elsewhere", "on another machine", "slipway unlock --stack dev", file):
        assert words in str(caught.value)


def test_a_number_that_another_program_has_now_is_not_the_owner(pulumi: int) -> None:
    assert alive(pulumi)
    assert not alive(os.getpid())  # it runs, but it is no pulumi


def test_a_backend_without_files_is_refused(stack: Stack) -> None:
    stack.environment["PULUMI_BACKEND_URL"] = "https://api.pulumi.com"
    with pytest.raises(SlipwayError, match=r"knows file:// and s3://"):
        release_stale(stack)


RUN = {"GITHUB_RUN_ID": "100", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_SERVER_URL": "https://h", "GITHUB_REPOSITORY": "o/r"}


def test_a_ci_run_leaves_a_note_while_it_works_and_a_laptop_does_not(stack: Stack, files: Folder) -> None:
    with noted(files, stack):
        assert notes_of(files, stack) == []
    stack.environment.update(RUN)
    with noted(files, stack):
        (left,) = notes_of(files, stack)
    assert notes_of(files, stack) == []
    assert (left.id, left.attempt, left.url, left.limit_minutes) == ("100", 2, "https://h/o/r/actions/runs/100", 360)
    assert left.host == socket.gethostname()


def test_a_note_does_not_look_like_a_lock_to_pulumi(stack: Stack, files: Folder) -> None:
    stack.environment.update(RUN)
    with noted(files, stack):
        assert files.names(".pulumi/locks") == []
        assert len(files.names(".pulumi/notes/slipway/dev")) == 1


@pytest.mark.parametrize("limit", ["soon", "0", "-5", "1.5"])
def test_a_limit_that_is_no_number_of_minutes_is_refused(limit: str) -> None:
    with pytest.raises(SlipwayError, match=rf"{LIMIT_VARIABLE} is '{limit}'"):
        this_run({**RUN, LIMIT_VARIABLE: limit}, NOW)


def test_the_engines_message_about_a_lock_becomes_a_sentence() -> None:
    output = (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
        "lock file with `pulumi cancel`.\n"
        "  s3://b/.pulumi/locks/x.json: created by ann@vm (pid 7) at 2026-11-21T12:00:00Z"
    )
    said = str(Failure().error("dev", output))
    assert said.startswith("stack dev is being changed by ann on vm (pid 7) since 2026-11-21T12:00:00Z; wait")
    assert said.endswith("slipway unlock --stack dev") and "pulumi cancel" not in said
