"""What Pulumi's state says of a stack, and what an interrupted verb has left in it.

A verb that was killed leaves three things: its lock, its engine (a process of its own, which goes on) and notes of the
operations it had begun, with which the engine would warn for ever. The engine is asked to stop, the lock released once
nobody holds it, and the notes taken out of the state: what they were about is found in AWS by name and by tag.
"""

import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from slipway.ci.note import noted
from slipway.engine import OWNER, Engine
from slipway.errors import SlipwayError
from slipway.locks import alive, release_stale
from slipway.project import Stack
from slipway.state.files import Folder, backend_url, state_files
from slipway.view import Steps

UNKNOWN, UNREADABLE = "no stack named", "failed to load checkpoint"
ORPHAN_SECONDS = 15 * 60  # the engine finishes the calls in flight
POLL_SECONDS = 0.1


def recorded(stack: Stack) -> dict[str, Any] | None:
    """The stack's state as Pulumi exports it; None when its backend knows no such stack."""
    try:
        text = Engine(stack).call("stack", "export", "--stack", stack.name)
    except SlipwayError as error:
        if UNKNOWN in str(error):
            return None
        if UNREADABLE not in str(error) or not _mended(stack):
            raise
        text = Engine(stack).call("stack", "export", "--stack", stack.name)
    state: dict[str, Any] = json.loads(text)
    return state


def _mended(stack: Stack) -> bool:
    files = state_files(stack) if backend_url(stack).startswith("file:") else None
    return isinstance(files, Folder) and files.mend(".pulumi") > 0


def resources(state: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What the state holds besides the stack itself and its providers."""
    found = ((state or {}).get("deployment") or {}).get("resources") or []
    return [one for one in found if not one["type"].startswith("pulumi:")]


def protected(state: dict[str, Any] | None) -> list[str]:
    """The names of the protected resources."""
    return [one["urn"].rsplit("::", 1)[1] for one in resources(state) if one.get("protect")]


def clear_pending(stack: Stack, state: dict[str, Any]) -> int:
    """Forget the operations that an interrupted verb had begun; returns how many."""
    deployment = state.get("deployment") or {}
    pending = deployment.pop("pending_operations", None) or []
    if pending:
        with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
            file = Path(folder, "state.json")
            file.touch(mode=0o600)
            file.write_text(json.dumps(state))
            Engine(stack).call("stack", "import", "--stack", stack.name, "--file", str(file))
    return len(pending)


@contextlib.contextmanager
def alone(stack: Stack, steps: Steps) -> Iterator[None]:
    """Inside, nobody else changes the stack. Raises SlipwayError when somebody is at it.

    A stack whose state is not in files (Pulumi Cloud) has locks that Pulumi itself looks after.
    """
    if not backend_url(stack).startswith(("file:", "s3:")):
        yield
        return
    with steps.step("lock") as step:
        ended = _end_orphans(stack, step.show)
        released = release_stale(stack)
        said = [f"process {pid} of a killed run has ended" for pid in ended]
        said += [f"released that of {one.lock.owner}: {one.reason}" for one in released]
        step.result = "; ".join(said) or "free"
    with noted(state_files(stack), stack):
        yield


def _end_orphans(stack: Stack, show: Callable[[str], None]) -> list[int]:
    """Stop the engines on this stack whose `slipway` is gone, here on this machine; returns their ids."""
    ended = [pid for pid in _engines(stack) if _orphaned(pid)]
    for pid in ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + ORPHAN_SECONDS
        while alive(pid):
            if time.monotonic() > deadline:
                raise SlipwayError(f"pulumi (process {pid}) of a killed run has not ended; end it: kill {pid}")
            show(f"waiting for pulumi (process {pid}) of a killed run to end")
            time.sleep(POLL_SECONDS)
    return ended


def _engines(stack: Stack) -> Iterator[int]:
    """Running Pulumi commands on this checkout and stack; none where there is no /proc."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is not ours to look at
            words = (entry / "cmdline").read_text().split("\0")
            if Path(words[0]).name == "pulumi" and {stack.name, str(stack.root)} <= set(words):
                yield int(entry.name)


def _orphaned(pid: int) -> bool:
    """Whether an engine's environment names a `slipway` process that is not its parent any more."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return False
    owner = next((one.partition(b"=")[2].decode() for one in variables if one.startswith(f"{OWNER}=".encode())), None)
    return owner is not None and owner != parent
