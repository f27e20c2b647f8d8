"""The processes of one training job, one per instance: start, watch, end."""

import signal
from collections.abc import Mapping
from pathlib import Path

from localaws import containers
from localaws.cloud import Cloud
from localaws.processes import Process, Sink

FAILURE_FILE = "output/failure"
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
        """`docker stop -t` on all that still run, at once, by the clock; returns when they are reaped."""
        deadline = self._clock.now() + grace_seconds
        processes = list(self._processes.values())
        for process in processes:
            process.signal(signal.SIGTERM)
        for process in processes:
            if not self._clock.wait(process.exited, deadline - self._clock.now()):
                process.kill()
            process.wait()

    def kill(self) -> None:
        """SIGKILL to all that still run; returns when they are reaped."""
        processes = list(self._processes.values())
        for process in processes:
            if not process.exited.is_set():
                process.kill()
        for process in processes:
            process.wait()

    def failure(self) -> str | None:
        """AWS's FailureReason from the host that failed first, or None. The exit code is the program's own.

        Call it when all have ended: the host that others fell over may be the last one to be reaped.
        """
        failed = [(process, root / FAILURE_FILE) for root, process in self._processes.items() if process.exit_code]
        if not failed:
            return None
        process, file = min(failed, key=lambda item: (_moment(*item), item[0].ended))
        text = file.read_text(errors="replace")[:FAILURE_CHARACTERS] if file.is_file() else ""
        return f"AlgorithmError: {text}, exit code: {process.exit_code}"


def _moment(process: Process, failure: Path) -> float:
    """When a host failed: a program that says why does so before it lets go of the others, and ends after that."""
    return min(process.ended, failure.stat().st_mtime) if failure.is_file() else process.ended
