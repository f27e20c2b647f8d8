"""Kills what localaws left behind when localaws itself is killed: `python guardian.py TOKEN`, started by processes.py.

Standard input is a pipe whose other end only localaws holds. Lines are `+PGID`, `-PGID` (a process group began, ended)
and `~FOLDER` (remove at the end). End of file means that localaws is gone, however it went. A parent-death signal
would not do: Linux ties it to the thread that started the child, and grandchildren do not inherit it.
Only the standard library, and little of it: this starts beside every localaws.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 1.0
MARKER = "LOCALAWS_RUN"


def marked_processes(mark: str) -> list[int]:
    """Pids whose environment holds `NAME=value`: catches children that left their group. Linux only, else empty."""
    needle = mark.encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            if needle in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found


def kill_marked(mark: str, number: int) -> bool:
    """Signal every process that carries the mark. Returns whether there was one."""
    pids = marked_processes(mark)
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return bool(pids)


def kill_groups(groups: set[int], number: int) -> bool:
    """Signal every group. Returns whether one was still there."""
    alive = False
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            alive = True
    return alive


def main(token: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        kind, value = line[0], line[1:].rstrip("\n")
        if kind == "~":
            folders.append(value)
        else:
            (groups.add if kind == "+" else groups.discard)(int(value))
    mark = f"{MARKER}={token}"
    alive = [kill_groups(groups, signal.SIGTERM), kill_marked(mark, signal.SIGTERM)]
    if any(alive):
        time.sleep(GRACE_SECONDS)
        kill_groups(groups, signal.SIGKILL)
        kill_marked(mark, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
