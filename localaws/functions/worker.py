"""One process of a function: started for its first invocation, used again for the next ones, never for two at once."""

import json
import math
import os
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localaws import roles
from localaws.cloud import Cloud
from localaws.containers import KEPT_VARIABLES
from localaws.functions import child
from localaws.iam.platform import Actor
from localaws.images import DEFAULT_PATH
from localaws.processes import Sink

FLUSH_MACHINE_SECONDS = 2.0  # for output that is on its way when the answer is there
DEFAULT_LOG_FOLDER = "/aws/lambda/"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """`event` is JSON text, `arn` the one that was called, `client_context` what an SDK sent along."""

    id: str
    event: str
    arn: str
    client_context: Any = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`payload` is JSON text: the result, or the error where `failed`. `seconds` are machine time, `lines` the log."""

    payload: str
    failed: bool
    seconds: float
    lines: tuple[str, ...] = ()


class Worker:
    """The process of one revision of a function."""

    def __init__(self, cloud: Cloud, function: Any, root: Path, libraries: Path) -> None:
        """Raises OSError when no process can be started."""
        self._cloud = cloud
        self._function = function
        self.revision = function.revision
        self.alive = True
        self._fresh = True
        self._marker = f"\0{secrets.token_hex(16)}"
        self._flushed = cloud.clock.event()
        self._lines: list[str] = []
        self._log = self._open_log()
        ours, theirs = socket.socketpair()
        self._channel = ours
        self._stream = ours.makefile("rwb")
        with theirs:
            command = [sys.executable, "-I", "-S", child.__file__, str(theirs.fileno())]
            self._process = cloud.launcher.start(
                command, cwd=root, env=self._environment(root), sink=self._take, descriptors=(theirs.fileno(),)
            )
        folders = [str(libraries)]
        self._send(
            {"root": str(root), "libraries": folders, "handler": function.handler, "marker": f"{self._marker}\n"}
        )

    def _open_log(self) -> Sink:
        function, now = self._function, datetime.fromtimestamp(self._cloud.clock.now(), UTC)
        self._group = function.logging_config["LogGroup"]
        self._log_stream = f"{now:%Y/%m/%d}/[{function.version}]{secrets.token_hex(16)}"
        actor = Actor(cloud=self._cloud, role=function.role, region=function.region, session=function.function_name)
        return actor.log_if_allowed(self._group, self._log_stream)

    def _environment(self, root: Path) -> dict[str, str]:
        """What AWS sets, with the endpoint of localaws; the function's own variables, which cannot replace these."""
        function = self._function
        temporary = root.with_name(f"{root.name}.tmp")
        temporary.mkdir(exist_ok=True)
        return {
            **{name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            "PATH": f"{Path(sys.executable).parent}:{DEFAULT_PATH}",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            **function.environment_vars,
            **roles.credentials(self._cloud, function.role, function.function_name),
            "AWS_ENDPOINT_URL": self._cloud.url,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": self._group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._log_stream,
            "LAMBDA_TASK_ROOT": str(root),
            "_HANDLER": function.handler,
        }

    def _take(self, lines: list[str]) -> None:
        """Output of the process: into the log, until the marker says that an invocation has written all of its."""
        for line in lines:
            text, marker, _ = line.partition(self._marker)
            if text or not marker:
                self._write(text)
            if marker:
                self._flushed.set()

    def _write(self, text: str) -> None:
        self._lines.append(text)
        self._log([text])

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # it has ended: the next read says so
            self._stream.write(json.dumps(message).encode() + b"\n")
            self._stream.flush()

    def call(self, invocation: Invocation) -> Outcome:
        """Run one invocation to its end. The worker is dead afterwards if the process did not survive it."""
        function, clock = self._function, self._cloud.clock
        self._lines, self._flushed = [], clock.event()
        self._write(f"START RequestId: {invocation.id} Version: {function.version}")
        began = clock.machine_now()
        deadline = began + function.timeout
        answer = self._exchange(invocation, deadline)
        seconds = clock.machine_now() - began
        self._flushed.wait(FLUSH_MACHINE_SECONDS)
        init = answer.get("init_seconds") if self._fresh else None
        self._fresh = False
        used = answer.get("memory_mb") or function.memory_size
        self._write(f"END RequestId: {invocation.id}")
        self._write(report(invocation.id, seconds, init, function.memory_size, used))
        failed = "result" not in answer
        payload = json.dumps(answer["error"]) if failed else answer["result"]
        return Outcome(payload=payload, failed=failed, seconds=seconds, lines=tuple(self._lines))

    def _exchange(self, invocation: Invocation, deadline: float) -> dict[str, Any]:
        call = {
            "id": invocation.id,
            "event": invocation.event,
            "arn": invocation.arn,
            "client_context": invocation.client_context,
            "deadline": deadline,
        }
        self._channel.settimeout(self._function.timeout)
        self._send(call)
        try:
            line = self._stream.readline()
        except TimeoutError:
            return self._dead(invocation.id, self._timed_out)
        except OSError:
            line = b""
        if not line:
            return self._dead(invocation.id, self._ended)
        answer: dict[str, Any] = json.loads(line)
        if "fatal" in answer:
            self.stop()
        return answer

    def _dead(self, request: str, describe: Callable[[], tuple[str, str]]) -> dict[str, Any]:
        kind, text = describe()
        self._flushed.set()
        message = f"RequestId: {request} Error: {text}"
        self._write(message)
        return {"error": {"errorType": kind, "errorMessage": message}}

    def _timed_out(self) -> tuple[str, str]:
        self.stop()
        return "Sandbox.Timedout", f"Task timed out after {self._function.timeout:.2f} seconds"

    def _ended(self) -> tuple[str, str]:
        code = self._process.wait()
        self.stop()
        reason = f"exited with error: exit status {code}" if code else "exited without providing a reason"
        if code > 128:
            reason = f"exited with error: signal: {code - 128}"
        return "Runtime.ExitError", f"Runtime {reason}"

    def stop(self) -> None:
        """End the process."""
        self.alive = False
        self._process.kill()
        with suppress(OSError):
            self._channel.close()


def report(request: str, seconds: float, init_seconds: float | None, memory_mb: int, used_mb: int) -> str:
    """The line that Lambda writes last; loading the function is billed too. Source: "Viewing Lambda logs"."""
    parts = [
        f"REPORT RequestId: {request}",
        f"Duration: {(seconds - (init_seconds or 0.0)) * 1000:.2f} ms",
        f"Billed Duration: {billed_milliseconds(seconds)} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {used_mb} MB",
    ]
    if init_seconds is not None:
        parts.append(f"Init Duration: {init_seconds * 1000:.2f} ms")
    return "\t".join(parts) + "\t"


def billed_milliseconds(seconds: float) -> int:
    """Lambda bills begun milliseconds."""
    return math.ceil(seconds * 1000)
