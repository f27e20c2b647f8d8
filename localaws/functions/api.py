"""Lambda's Invoke; the functions themselves are moto's (rules.py)."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from localaws.cloud import Call, Handler, arn
from localaws.errors import AwsError
from localaws.functions import events, runner
from localaws.functions.worker import Invocation

REQUEST_LIMIT_BYTES = 6_291_456
EVENT_LIMIT_BYTES = 1_048_576
TAIL_BYTES = 4096


def invoke(call: Call) -> Mapping[str, Any]:
    """zip functions of Python runtimes run as processes with their role's keys; RequestResponse, Event, DryRun"""
    request = call.request
    kind = request.get("InvocationType", "RequestResponse")
    name, qualifier = request["FunctionName"], request.get("Qualifier")
    function = runner.find(call.region, name, qualifier)
    if kind == "DryRun":
        return {"StatusCode": 204}
    event = _event(request.get("Payload") or b"", EVENT_LIMIT_BYTES if kind == "Event" else REQUEST_LIMIT_BYTES)
    called = _called(call, function, qualifier)
    if kind == "Event":
        events.submit(call.cloud, function, event, called)
        return {"StatusCode": 202}
    invocation = Invocation(
        id=str(uuid4()), event=event, arn=called, client_context=_client_context(request.get("ClientContext"))
    )
    outcome = runner.invoke(call.cloud, function, invocation)
    tail = "\n".join([*outcome.lines, ""]).encode()[-TAIL_BYTES:]
    return {
        "StatusCode": 200,
        "ExecutedVersion": str(function.version),
        "Payload": outcome.payload.encode(),
        "FunctionError": "Unhandled" if outcome.failed else None,
        "LogResult": base64.b64encode(tail).decode() if request.get("LogType") == "Tail" else None,
    }


def _event(body: bytes, limit_bytes: int) -> str:
    if len(body) > limit_bytes:
        text = f"Request must be smaller than {limit_bytes} bytes for the InvokeFunction operation"
        raise AwsError("RequestTooLargeException", text, status=413, Type="User")
    try:
        text = body.decode() or "{}"
        json.loads(text)
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}", Type="User"
        ) from error
    return text


def _called(call: Call, function: Any, qualifier: str | None) -> str:
    """The ARN under which the function was called: with the qualifier, if one was named."""
    name, _, inner = call.request["FunctionName"].split(":function:")[-1].partition(":")
    asked = qualifier or (inner if name == function.function_name else "")
    ending = f":{asked}" if asked else ""
    return arn("lambda", call.region, f"function:{function.function_name}{ending}")


def _client_context(text: str | None) -> Any:
    if not text:
        return None
    try:
        return json.loads(base64.b64decode(text))
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException", f"Could not parse the client context: {error}", Type="User"
        ) from error


OPERATIONS: dict[str, Handler] = {"Invoke": invoke}
