"""Who holds a stack's lock, and whether that owner is dead.

A Pulumi lock in a bucket or folder is a file with pid, user, host and time: no lease, no heartbeat. What was killed
leaves it behind, and `pulumi cancel` deletes every lock of the stack, live ones too. Here a lock is released only when
its owner is known to have ended, and then that one file:

    slipway unlock --stack dev

The owner is this machine's process and that process is gone; or it is a CI run that left a note (`slipway.ci.note`)
and that run is over: a later attempt of it is running, or its time limit has passed. Anything else is refused.
"""

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slipway.ci.note import Note, boot_id, notes_of, this_run
from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.state.files import Files, state_files

# The clocks of two machines, and S3's of them, differ by less.
CLOCK_SKEW = timedelta(minutes=1)
TIME = "%Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """One lock file of Pulumi's."""

    file: str
    pid: int
    user: str
    host: str
    since: datetime

    @property
    def owner(self) -> str:
        return f"{self.user} on {self.host} (pid {self.pid}) since {self.since:{TIME}}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a lock's owner has ended, and how that is known (or why it is not)."""

    lock: Lock
    ended: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Here:
    """This machine and this run, as far as locks are concerned."""

    host: str
    boot: str
    alive: Callable[[int], bool]
    now: datetime
    run: Note | None


def here(environment: Mapping[str, str]) -> Here:
    """The facts about this process's surroundings."""
    now = datetime.now(UTC)
    return Here(host=socket.gethostname(), boot=boot_id(), alive=alive, now=now, run=this_run(environment, now))


def release_stale(stack: Stack) -> list[Verdict]:
    """Release every lock of the stack whose owner has ended; returns what was released.

    Raises SlipwayError when another lock remains: who holds it, from where, since when, and what to do.
    """
    files = state_files(stack)
    notes = notes_of(files, stack)
    place = here(stack.environment)
    verdicts = [judge(lock, notes, place) for lock in locks_of(files, stack)]
    live = [verdict for verdict in verdicts if not verdict.ended]
    stale = [verdict for verdict in verdicts if verdict.ended]
    for verdict in stale:
        files.delete(verdict.lock.file)
    if live:
        raise SlipwayError("\n".join(_refusal(stack, verdict) for verdict in live))
    return stale


def locks_of(files: Files, stack: Stack) -> list[Lock]:
    """The stack's locks."""
    locks = []
    for name in files.names(f".pulumi/locks/organization/{stack.project}/{stack.name}"):
        if content := files.read(name):  # None: its owner has just ended
            locks.append(_lock(name, json.loads(content)))
    return locks


def _lock(file: str, facts: Mapping[str, str]) -> Lock:
    since = datetime.fromisoformat(facts["timestamp"]).astimezone(UTC)
    return Lock(file=file, pid=int(facts["pid"]), user=facts["username"], host=facts["hostname"], since=since)


def judge(lock: Lock, notes: Sequence[Note], place: Here) -> Verdict:
    """Whether the lock's owner has ended. When in doubt it has not."""
    matching = [note for note in notes if _wrote(note, lock)]
    if matching:
        # Runners may share a host name: the lock can be that of any run that matches, so all must have ended.
        endings = [_ending(note, lock, place) for note in matching]
        still = next((note for note, ending in zip(matching, endings, strict=True) if not ending), None)
        if still:
            until = f"{still.end:{TIME}}"
            return Verdict(lock=lock, ended=False, reason=f"by CI run {still.name}, which may take until {until}")
        return Verdict(lock=lock, ended=True, reason="; ".join(endings))
    if lock.host != place.host:
        return Verdict(lock=lock, ended=False, reason="on another machine, and no CI run has left a note of it")
    if place.run:
        # A hosted runner's name says nothing: many machines have the same one.
        return Verdict(lock=lock, ended=False, reason="by a process that is no CI run's, and this is a CI run")
    if place.alive(lock.pid):
        return Verdict(lock=lock, ended=False, reason="by a process of this machine that is running")
    return Verdict(lock=lock, ended=True, reason=f"process {lock.pid} of this machine has ended")


def _wrote(note: Note, lock: Lock) -> bool:
    return (note.host, note.user) == (lock.host, lock.user) and note.started - CLOCK_SKEW <= lock.since <= note.end


def _ending(note: Note, lock: Lock, place: Here) -> str:
    """How it is known that this run no longer holds the lock; empty when it may."""
    if note.boot and note.boot == place.boot:  # it can be looked at
        return "" if place.alive(lock.pid) else f"process {lock.pid} of CI run {note.name} has ended on this machine"
    if place.run and place.run.id == note.id and place.run.attempt > note.attempt:
        return f"attempt {note.attempt} of CI run {note.id} has ended: this is attempt {place.run.attempt}"
    if place.now > note.end + CLOCK_SKEW:
        return f"CI run {note.name} had to end by {note.end:{TIME}}"
    return ""


def _refusal(stack: Stack, verdict: Verdict) -> str:
    return (
        f"stack {stack.name} is locked by {verdict.lock.owner}, {verdict.reason}; it was not released. "
        f"Wait until it has ended. If it died: run `slipway unlock --stack {stack.name}` there, "
        f"or, when you are sure, delete {verdict.lock.file} from Pulumi's state"
    )


def alive(pid: int) -> bool:
    """Whether a process of Pulumi's with this pid runs here; another that has got the number since does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, as another user
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True  # no /proc here: the number must do
    name, rest = state[state.index("(") + 1 :].rsplit(")", 1)
    return name.startswith("pulumi") and rest.split()[0] != "Z"
