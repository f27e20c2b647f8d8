"""The program of a function's process: `python -I -S child.py DESCRIPTOR`. Standard library only.

The descriptor is one end of a socket. The first line says what to load; each further line is an invocation, answered
by one line. Names, messages and the form of errors are those of AWS's runtime for Python (aws-lambda-python-runtime-
interface-client), so that what a caller sees in an error is what it would see in AWS.
"""

import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

LINE_BREAK = "\r"  # within one log event, where AWS puts an error and its traceback
TASK_ROOT = "/var/task"
LOG_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(request)s\t%(message)s"

Handler = Callable[[Any, Any], Any]


class FaultError(Exception):
    """The function cannot be loaded, or its answer cannot be sent."""

    def __init__(self, kind: str, message: str, lines: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = f"Runtime.{kind}"
        self.lines = lines or []


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, call: dict[str, Any]) -> None:
        self.aws_request_id: str = call["id"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn: str = call["arn"]
        self.client_context = call["client_context"]
        self.identity = None
        self._deadline_seconds: float = call["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        """Machine time: a function runs on the machine's clock, whatever the cloud's does."""
        return max(int((self._deadline_seconds - time.time()) * 1000), 0)


class RequestFilter(logging.Filter):
    """Puts the id of the invocation into log records."""

    request = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = self.request
        return True


def load(name: str) -> Handler:
    """The handler `module.function` or `folder/module.function`. Raises FaultError."""
    module_name, dot, function = name.rpartition(".")
    if not dot:
        raise FaultError("MalformedHandlerName", f"Bad handler '{name}': it has no dot between module and function")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise FaultError("ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        line = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise FaultError("UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [line]) from error
    try:
        found: Handler = getattr(module, function)
    except AttributeError as error:
        raise FaultError("HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'") from error
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _as_in_aws(text: str) -> str:
    """Code lies in /var/task there."""
    return text.replace(os.environ["LAMBDA_TASK_ROOT"], TASK_ROOT)


def failure(error: BaseException, request: str) -> dict[str, Any]:
    """An error as a function's caller gets it, printed to the log as well."""
    if isinstance(error, FaultError):
        kind, lines = error.kind, error.lines
    else:
        kind = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        lines = traceback.format_list([frame for frame in frames if frame.filename != __file__])
    lines = [_as_in_aws(line) for line in lines]
    head = f"[ERROR] {kind}: {error}" if str(error) else f"[ERROR] {kind}"
    printed = [head, "Traceback (most recent call last):", *(line.rstrip("\n") for line in lines)]
    print(LINE_BREAK.join(printed).replace("\n", LINE_BREAK), flush=True)
    return {"errorMessage": str(error), "errorType": kind, "requestId": request, "stackTrace": lines}


def answer(handler: Handler, call: dict[str, Any]) -> dict[str, Any]:
    """Run one invocation: {"result": JSON text} or {"error": ...}."""
    RequestFilter.request = call["id"]
    try:
        result = handler(json.loads(call["event"]), Context(call))
    except Exception as error:
        return {"error": failure(error, call["id"])}
    try:
        return {"result": json.dumps(result, default=_plain)}
    except (TypeError, ValueError) as error:
        return {"error": failure(FaultError("MarshalError", f"Unable to marshal response: {error}"), call["id"])}


def _memory_mb() -> int:
    """The most memory that this process has had; 0 where the system does not tell."""
    try:
        with Path("/proc/self/status").open() as status:
            peak = next(line for line in status if line.startswith("VmHWM"))
        return int(peak.split()[1]) // 1024
    except (OSError, StopIteration):
        return 0


def _log_to_output() -> None:
    handler = logging.StreamHandler(sys.stdout)
    formatter = logging.Formatter(LOG_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(RequestFilter())
    logging.getLogger().addHandler(handler)


def serve(channel: socket.socket) -> None:
    """Load the handler, then answer invocations until the other end closes."""
    stream = channel.makefile("rwb")
    setup = json.loads(stream.readline())
    sys.path[:0] = [setup["root"], *setup["libraries"]]
    handler: Handler | None = None
    for line in stream:
        call, began = json.loads(line), time.monotonic()
        try:
            handler = handler or load(setup["handler"])
            init_seconds = time.monotonic() - began
            found = answer(handler, call)
        except Exception as error:  # the module itself failed while it was loaded
            init_seconds, found = time.monotonic() - began, {"error": failure(error, call["id"]), "fatal": True}
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(1, setup["marker"].encode())  # everything before it belongs to this invocation
        stream.write(json.dumps({**found, "init_seconds": init_seconds, "memory_mb": _memory_mb()}).encode() + b"\n")
        stream.flush()
        if "fatal" in found:
            return


if __name__ == "__main__":
    _log_to_output()
    serve(socket.socket(fileno=int(sys.argv[1])))
