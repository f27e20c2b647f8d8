"""Starts, watches, stops and reaps operating-system processes.

Each process is the leader of its own session and group; its stdout and stderr go line by line to a sink. Nothing
outlives localaws: `stop_all` at a normal end, the guardian (guardian.py) when localaws itself is killed.
"""

import math
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from localaws import guardian
from localaws.clock import Clock

Sink = Callable[[list[str]], None]

PROCESS_MARKER = "LOCALAWS_PROCESS"
READ_BYTES = 65_536
LINE_LIMIT_BYTES = 256 * 1024  # CloudWatch Logs' limit for one event
SHUTDOWN_GRACE_SECONDS = 2.0
REAP_SECONDS = 5.0


class Process:
    """A started program. `exited` is set after it has ended, its group is dead and its output is written."""

    def __init__(self, popen: "subprocess.Popen[bytes]", mark: str, clock: Clock, sink: Sink) -> None:
        self._popen = popen
        self._mark = mark
        self._clock = clock
        self._sink = sink
        self.pid = popen.pid
        self.exited = clock.event()
        self.exit_code: int | None = None
        self.ended = math.inf  # machine time, epoch seconds

    def signal(self, number: int) -> None:
        """Signal the program itself, as `docker kill` does; a process that has ended is no error."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                self._popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to the program, its group, and whatever it started outside of the group."""
        guardian.kill_groups({self.pid}, signal.SIGKILL)
        guardian.kill_marked(self._mark, signal.SIGKILL)

    def stop(self, grace_seconds: float) -> int:
        """SIGTERM, wait by the clock, SIGKILL: `docker stop -t`. Returns the exit code (128 + n for signal n)."""
        self.signal(signal.SIGTERM)
        if not self._clock.wait(self.exited, grace_seconds):
            self.kill()
        return self.wait()

    def wait(self) -> int:
        """Wait for the end. Returns the exit code as a shell reports it."""
        self.exited.wait()
        assert self.exit_code is not None
        return self.exit_code

    def watch(self) -> None:
        """Body of the process's own thread: pump the output, reap, clean up."""
        pump = threading.Thread(target=self._pump, name=f"log-{self.pid}", daemon=True)
        pump.start()
        code = self._popen.wait()
        self.ended = self._clock.machine_now()  # at once: what follows takes longer the more is left behind
        self.kill()  # a container's other processes end with its first one
        pump.join(REAP_SECONDS)
        self.exit_code = code if code >= 0 else 128 - code

    def _pump(self) -> None:
        assert self._popen.stdout is not None
        stream, rest = self._popen.stdout.fileno(), b""
        while chunk := os.read(stream, READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_LIMIT_BYTES:
                lines, rest = [*lines, rest], b""
            if lines:
                self._sink([_decode(line) for line in lines])
        if rest:
            self._sink([_decode(rest)])
        self._popen.stdout.close()


def _decode(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")


def _kill_all(processes: Sequence[Process]) -> None:
    for process in processes:
        process.kill()


class Launcher:
    """Starts processes and knows those that live."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._token = secrets.token_hex(8)
        self._live: set[Process] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__, self._token],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def _tell_guardian(self, line: str) -> None:
        assert self._guardian.stdin is not None
        self._guardian.stdin.write(line + "\n")
        self._guardian.stdin.flush()

    def remove_at_end(self, folder: Path) -> None:
        """Have the folder removed even when localaws is killed."""
        with self._lock:
            self._tell_guardian(f"~{folder}")

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        sink: Sink,
        on_exit: Callable[[Process], None] | None = None,
        descriptors: Sequence[int] = (),
    ) -> Process:
        """Start a program with exactly this environment. Raises OSError when the program cannot be started.

        `on_exit` is called after the end, in the process's own thread. `descriptors`: open files that it inherits.
        """
        own = secrets.token_hex(8)
        marked = {**env, guardian.MARKER: self._token, PROCESS_MARKER: own}
        with self._lock:
            if self._closed:
                raise OSError("localaws is shutting down and starts no more processes")
            popen = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=marked,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=descriptors,
            )
            process = Process(popen, f"{PROCESS_MARKER}={own}", self._clock, sink)
            self._live.add(process)
            self._tell_guardian(f"+{process.pid}")
        name = f"process-{process.pid}"
        threading.Thread(target=self._watch, args=(process, on_exit), name=name, daemon=True).start()
        return process

    def _watch(self, process: Process, on_exit: Callable[[Process], None] | None) -> None:
        process.watch()
        with self._lock:
            self._live.discard(process)
            if not self._closed:
                self._tell_guardian(f"-{process.pid}")
        process.exited.set()
        if on_exit is not None:
            on_exit(process)

    def live_count(self) -> int:
        return len(self._live)

    def stop_all(self, grace_seconds: float = SHUTDOWN_GRACE_SECONDS) -> None:
        """SIGTERM to all, a short grace in machine time, SIGKILL; returns when all are reaped."""
        with self._lock:
            live = list(self._live)
        for process in live:
            process.signal(signal.SIGTERM)
        late = threading.Timer(grace_seconds, _kill_all, (live,))
        late.start()
        for process in live:
            process.wait()
        late.cancel()

    def close(self) -> None:
        """Stop everything for good; the guardian ends too."""
        self.stop_all()
        with self._lock:
            self._closed = True
        self.stop_all()  # what was being started meanwhile
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        self._guardian.wait()
