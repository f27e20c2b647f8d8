"""The Pulumi engine as a child process: its verbs, its events one by one, and an end on Ctrl-C.

for event in Engine(stack).run("up"): ...
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway import pulumi_cli
from slipway.engine_failure import LOCKED, Failure, locked
from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.signals import deferred, uninterruptible

POLL_SECONDS = 0.1
INTERRUPT_SECONDS = 10.0  # the engine finishes the calls in flight, so that its state stays true
OWNER = "SLIPWAY_PID"
"""The variable that tells an engine which process started it: by it one is known whose `slipway` was killed."""


@dataclass(frozen=True, kw_only=True)
class ResourceEvent:
    """One resource begun, done or failed. `change` is the engine's word: create, update, same, delete, replace ..."""

    phase: str
    change: str
    type: str
    name: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    severity: str
    message: str
    ephemeral: bool


class Tick:
    """Nothing new from the engine; the caller may look at something else."""


Event = ResourceEvent | Diagnostic | Tick


class Engine:
    """Pulumi's verbs on one stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def _command(self, *words: str) -> list[str]:
        folder = pulumi_cli.find()
        if folder is None:
            raise SlipwayError("no Pulumi CLI; get it: python -m slipway.pulumi_cli")
        return [str(folder / "pulumi"), *words, "--non-interactive", "--cwd", str(self.stack.root)]

    @property
    def _environment(self) -> dict[str, str]:
        return {**self.stack.environment, OWNER: str(os.getpid())}

    def call(self, *words: str) -> str:
        """One short command's standard output. Raises SlipwayError with its standard error."""
        done = subprocess.run(self._command(*words), env=self._environment, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            if LOCKED in said:
                raise SlipwayError(locked(self.stack.name, said))
            raise SlipwayError(f"pulumi {' '.join(words)} failed:\n{said}")
        return done.stdout

    def ensure_stack(self) -> None:
        """Make the stack in its backend if it is not there."""
        self.call("stack", "select", "--create", self.stack.name)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; empty when it was never up."""
        outputs: dict[str, Any] = json.loads(self.call("stack", "output", "--json", "--stack", self.stack.name))
        return outputs

    def protected(self) -> list[str]:
        """The names of the stack's protected resources."""
        state = json.loads(self.call("stack", "export", "--stack", self.stack.name))
        resources = (state.get("deployment") or {}).get("resources") or []
        return [one["urn"].rsplit("::", 1)[1] for one in resources if one.get("protect")]

    def run(self, verb: str, *options: str) -> Iterator[Event]:
        """`pulumi up` or `destroy`, yielding its events, and a Tick whenever there are none for a moment.

        Raises SlipwayError as `raw_events` does. Closing the iterator (Ctrl-C) interrupts the engine and waits for it.
        """
        with contextlib.closing(self.raw_events(verb, "--yes", "--skip-preview", *options)) as raws:
            for raw in raws:
                if raw is None:
                    yield Tick()
                elif event := _event(raw):
                    yield event

    def raw_events(self, verb: str, *options: str) -> Generator[dict[str, Any] | None, None, None]:
        """A verb's events as the engine writes them (pulumi's apitype.EngineEvent), None when nothing is new.

        Raises SlipwayError when the verb fails: with the engine's error diagnostics, with what the policy refused
        (exit code 3), or with who holds the stack's lock.
        """
        with _scratch() as folder:
            log = folder / "events"
            log.touch()
            command = self._command(verb, "--stack", self.stack.name, *options)
            with (folder / "output").open("w+") as output:
                failure, process = Failure(), None
                try:
                    with deferred():
                        process = subprocess.Popen(
                            [*command, "--event-log", str(log)],
                            # The event log is still marked as a debugging flag.
                            env={**self._environment, "PULUMI_DEBUG_COMMANDS": "true"},
                            stdout=output,
                            stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL,
                            start_new_session=True,
                        )
                    for raw in _follow(log, process):
                        if raw:
                            failure.see(raw)
                        yield raw
                finally:
                    if process:
                        _finish(process)
                if process.returncode:
                    output.seek(0)
                    raise failure.error(self.stack.name, output.read())


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A temporary folder that is gone afterwards, whenever a signal comes."""
    folder = ""
    try:
        with deferred():
            folder = tempfile.mkdtemp(prefix="slipway-")
        yield Path(folder)
    finally:
        with uninterruptible():
            if folder:
                shutil.rmtree(folder, ignore_errors=True)


def _follow(log: Path, process: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any] | None]:
    """The lines of a growing JSON-lines file, until the process has ended and the file is read."""
    with log.open() as file:
        rest = ""
        while True:
            ended = process.poll() is not None
            rest += file.read()
            *lines, rest = rest.split("\n")
            for line in lines:
                if line:
                    yield json.loads(line)
            if ended:
                return
            if not lines:
                yield None
                time.sleep(POLL_SECONDS)


PHASES = {"resourcePreEvent": "begun", "resOutputsEvent": "done", "resOpFailedEvent": "failed"}


def _event(raw: dict[str, Any]) -> Event | None:
    for key, phase in PHASES.items():
        if key in raw:
            facts = raw[key]["metadata"]
            state = facts.get("new") or facts.get("old") or {}
            name = facts["urn"].rsplit("::", 1)[1]
            return ResourceEvent(
                phase=phase, change=facts["op"], type=facts["type"], name=name, id=str(state.get("id", ""))
            )
    if "diagnosticEvent" in raw:
        facts = raw["diagnosticEvent"]
        return Diagnostic(
            severity=facts["severity"], message=facts["message"].rstrip(), ephemeral=facts.get("ephemeral", False)
        )
    return None


def _finish(process: "subprocess.Popen[bytes]") -> None:
    """No engine, language host or provider outlives us: interrupt, wait, kill the whole group."""
    with uninterruptible():
        if process.poll() is None:
            # To the engine alone: it still needs its provider to finish the calls in flight.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(INTERRUPT_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
