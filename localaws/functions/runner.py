"""Chooses the process for an invocation: an idle one of the function's current revision, else a new one."""

import json
import threading
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from localaws.cloud import Cloud, Store, backend
from localaws.errors import AwsError
from localaws.functions import code
from localaws.functions.worker import Invocation, Outcome, Worker, billed_milliseconds
from localaws.money import ledger
from localaws.sagemaker import metrics

NAMESPACE = "AWS/Lambda"
ANSWER_LIMIT_BYTES = 6_291_556  # the figure of AWS's own message


class Functions(Store):
    """One region's processes. Of each function one is kept idle; a burst's others end with their invocation."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.idle: dict[str, Worker] = {}
        self.busy: Counter[str] = Counter()
        self.folders: dict[str, tuple[str, Path]] = {}  # function -> the hash of its code, where that lies
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def find(region: str, name: str, qualifier: str | None = None) -> Any:
    """moto's function by name or ARN. Raises AwsError ResourceNotFoundException."""
    from moto.awslambda.exceptions import LambdaClientError  # moto's Lambda takes long to import

    try:
        return backend("lambda", region).get_function(name, qualifier)
    except LambdaClientError as error:
        raise AwsError(error.error_type, error.message, status=error.code) from error


def invoke(cloud: Cloud, function: Any, invocation: Invocation) -> Outcome:
    """Run one invocation to its end. Raises AwsError when it cannot begin."""
    functions = cloud.store(function.region, Functions)
    _require_supported(function)
    _enter(cloud, functions, function)
    try:
        worker = _worker(cloud, functions, function)
        outcome = _limited(worker.call(invocation))
    finally:
        with functions.lock:
            functions.busy[function.function_name] -= 1
    _give_back(functions, function, worker)
    _meter(cloud, function, outcome)
    return outcome


def _require_supported(function: Any) -> None:
    runtime = function.run_time or "no runtime"
    if function.package_type != "Zip" or not runtime.startswith("python3"):
        raise _unsupported(function, f"{runtime} ({function.package_type})")
    if function.layers:
        raise _unsupported(function, "layers; put the packages into the zip archive")


def _unsupported(function: Any, what: str) -> AwsError:
    text = f"localaws runs zip functions of python3 runtimes; {function.function_name} has {what}"
    return AwsError("NotImplementedException", text, status=501)


def _enter(cloud: Cloud, functions: Functions, function: Any) -> None:
    """Count the invocation in. Raises AwsError where the function's reserved concurrency is used up."""
    name, reserved = function.function_name, function.reserved_concurrency
    with functions.lock:
        if reserved is None or functions.busy[name] < int(reserved):
            functions.busy[name] += 1
            return
    _put(cloud, function, Throttles=1.0)
    raise AwsError(
        "TooManyRequestsException",
        "Rate Exceeded.",
        status=429,
        Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
    )


def _worker(cloud: Cloud, functions: Functions, function: Any) -> Worker:
    with functions.lock:
        found = functions.idle.pop(function.function_arn, None)
    if found is not None:
        if found.alive and found.revision == function.revision:
            return found
        found.stop()
    return Worker(cloud, function, _folder(cloud, functions, function), code.libraries(cloud))


def _folder(cloud: Cloud, functions: Functions, function: Any) -> Path:
    with functions.lock:
        known, folder = functions.folders.get(function.function_arn, ("", Path()))
        if known != function.code_sha_256:
            folder = code.unpack(cloud, function)
            functions.folders[function.function_arn] = (function.code_sha_256, folder)
        return folder


def _give_back(functions: Functions, function: Any, worker: Worker) -> None:
    """Keep the process for the next invocation, unless there is one already or the function has changed."""
    with functions.lock:
        current = worker.alive and worker.revision == function.revision and not functions.closed.is_set()
        if current and function.function_arn not in functions.idle:
            functions.idle[function.function_arn] = worker
            return
    worker.stop()


def forget(cloud: Cloud, function: Any) -> None:
    """A deleted function: its idle process ends, its code goes."""
    functions = cloud.store(function.region, Functions)
    function.revision = ""  # a process that works now is not kept
    with functions.lock:
        found = functions.idle.pop(function.function_arn, None)
        functions.folders.pop(function.function_arn, None)
    if found is not None:
        found.stop()


def _limited(outcome: Outcome) -> Outcome:
    if len(outcome.payload.encode()) <= ANSWER_LIMIT_BYTES:
        return outcome
    text = f"Response payload size exceeded maximum allowed payload size ({ANSWER_LIMIT_BYTES} bytes)."
    error = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": text}
    return Outcome(payload=json.dumps(error), failed=True, seconds=outcome.seconds, lines=outcome.lines)


def _meter(cloud: Cloud, function: Any, outcome: Outcome) -> None:
    milliseconds = billed_milliseconds(outcome.seconds)
    gigabyte_seconds = Decimal(milliseconds) / 1000 * function.memory_size / 1024
    where, tags = function.function_arn, function.tags
    ledger.count(cloud, function.region, "Lambda:Request", where, 1, tags)
    ledger.count(cloud, function.region, "Lambda:Duration", where, gigabyte_seconds, tags)
    _put(cloud, function, Invocations=1.0, Errors=float(outcome.failed), Duration=float(milliseconds))


def _put(cloud: Cloud, function: Any, **values: float) -> None:
    """Data points of the function in CloudWatch."""
    data = [
        {"MetricName": name, "Value": value, "Unit": "Milliseconds" if name == "Duration" else "Count"}
        for name, value in values.items()
    ]
    names = {"FunctionName": function.function_name}
    metrics.put(function.region, NAMESPACE, data, cloud.clock.now(), names)
