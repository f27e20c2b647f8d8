"""Runs one command to its end in a process group of its own, and leaves nothing of it behind.

SageMaker signals the container's first process only. A launcher in between usually swallows SIGTERM
(aws/sagemaker-training-toolkit#125), so it is passed on here to the whole group, and then waited for as long as the
platform lets us: SIGKILL after 120 s is SageMaker's business.
"""

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from training.script_mode.output import Output

SIGNALS = (signal.SIGTERM, signal.SIGINT)
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
READ_BYTES = 65_536
DRAIN_SECONDS = 5.0  # for what a killed process had written


class Relay:
    """Hands the stop signals of this process on to the group that runs, each once; keeps those that come while none
    runs."""

    def __init__(self, received: str = "") -> None:
        self.received = received
        """Name of the first signal that came, such as SIGTERM; empty before."""
        self._waiting = [signal.Signals[received].value] if received else []
        self._group = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take the signals over while the block runs (main thread only)."""
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def to(self, group: int) -> Iterator[None]:
        """Pass signals on to process group `group` while the block runs."""
        self._group = group
        self._pass_on()
        try:
            yield
        finally:
            self._group = 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number).name
        self._waiting.append(number)
        self._pass_on()

    def _pass_on(self) -> None:
        while self._group and self._waiting:
            with suppress(IndexError):  # a signal came in between, and its handler has emptied the list
                signal_group(self._group, self._waiting.pop(0))


def run_group(command: Sequence[str], cwd: Path, environment: Mapping[str, str], relay: Relay, output: Output) -> int:
    """The exit code of `command` (negative: ended by that signal), once it and everything it started has ended.

    What it prints goes to `output`. Raises OSError when it cannot be started.
    """
    with _adopting_orphans():
        others = _children()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        assert process.stdout is not None
        reader = threading.Thread(target=_pump, args=(process.stdout.fileno(), output), daemon=True)
        reader.start()
        with process.stdout:
            with relay.to(process.pid):
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # unreaped, its group's number stays its own
            signal_group(process.pid, signal.SIGKILL)
            code = process.wait()
            _end_children(others)
            reader.join(DRAIN_SECONDS)
    output.close()
    return code


def _pump(stream: int, output: Output) -> None:
    with suppress(OSError):  # closed under us after DRAIN_SECONDS
        while chunk := os.read(stream, READ_BYTES):
            output.write(chunk)


def signal_group(group: int, number: int) -> None:
    """Signal every process of a group; one that has ended is no error."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Processes whose parent ends become this one's children (Linux), so that those can be found that left the group:
    torchrun starts each of its workers in a session of its own."""
    libc = ctypes.CDLL(None)
    adopt = getattr(libc, "prctl", None)
    if adopt:
        adopt(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        if adopt:
            adopt(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _children() -> set[int]:
    """This process's children; none where there is no /proc."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found |= {int(word) for word in task.read_text().split()}
    return found


def _end_children(others: set[int]) -> None:
    """Kill and reap every child but `others`, and those that their ends leave to us."""
    while left := _children() - others:
        for child in left:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)
