"""The processes of one training job, one per instance: start, watch, end."""

import signal
from collections.abc import Mapping
from pathlib import Path

from localaws import containers
from localaws.cloud import Cloud
from localaws.processes import Process, Sink

FAILURE_CHARACTERS = 1024


class Nodes:
    """`ended` is set when all processes have ended, or one has failed, or somebody else sets it."""

    def __init__(self, cloud: Cloud, count: int) -> None:
        self._cloud = cloud
        self._clock = cloud.clock
        self._count = count
        self._processes: dict[Path, Process] = {}
        self.ended = cloud.clock.event()

    def start(self, specs: Mapping[str, containers.Spec], sinks: Mapping[str, Sink]) -> None:
        """Start a container per host. If one cannot start, its log says so, the others are killed: StartError."""
        for host, spec in specs.items():
            try:
                self._processes[spec.root] = containers.start(self._cloud, spec, sinks[host], self._one_ended)
            except containers.StartError as error:
                sinks[host]([str(error)])
                self.kill()
                raise
        self._note_end()

    def _one_ended(self, process: Process) -> None:
        if process.exit_code:
            self.ended.set()
        self._note_end()

    def _note_end(self) -> None:
        processes = list(self._processes.values())
        if len(processes) == self._count and all(process.exited.is_set() for process in processes):
            self.ended.set()

    def terminate(self, grace_seconds: float) -> None:
        """`docker stop -t` on all at once, by the clock."""
        deadline = self._clock.now() + grace_seconds
        for process in self._processes.values():
            process.signal(signal.SIGTERM)
        for process in self._processes.values():
            if not self._clock.wait(process.exited, deadline - self._clock.now()):
                process.kill()
            process.wait()

    def kill(self) -> None:
        """SIGKILL to all that still run; returns when they are reaped."""
        for process in list(self._processes.values()):
            if not process.exited.is_set():
                process.kill()
            process.wait()

    def failure(self) -> str | None:
        """AWS's FailureReason from the first host that failed, or None. The exit code is the program's own."""
        for root, process in self._processes.items():
            if process.exited.is_set() and process.exit_code:
                file = root / "output" / "failure"
                text = file.read_text(errors="replace")[:FAILURE_CHARACTERS] if file.is_file() else ""
                return f"AlgorithmError: {text}, exit code: {process.exit_code}"
        return None
