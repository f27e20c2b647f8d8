"""The operations of REST services that are answered here: found by method and path, parsed and answered by the model.

wire.py does the same for the services that name their operation in a header; the services' table is one, services.py.
"""

import json
import sys
import traceback
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from localaws import signature, wire
from localaws.cloud import Call, Cloud
from localaws.errors import AwsError, not_implemented
from localaws.iam import requests
from localaws.iam.requests import Body, Environ, NoRuleError
from localaws.services import BY_SCOPE, Service
from localaws.wire import Answer


def answer(cloud: Cloud, environ: Environ, body: Body) -> Answer | None:
    """Our answer, or None where moto answers."""
    signed = signature.read(environ)
    service = BY_SCOPE.get(signed.service)
    if service is None or "HTTP_X_AMZ_TARGET" in environ:
        return None
    try:
        operation = requests.read(environ, signed.service, lambda: b"{}")  # the body is _parameters' business
    except NoRuleError:
        return None
    handler = service.operations.get(operation.name)
    if handler is None and service.moto:
        return None
    try:
        if handler is None:
            raise not_implemented(service.name, operation.name)
        given = _parameters(service, operation.name, operation.parameters, environ, body)
        return _rendered(service, operation.name, handler(_call(cloud, signed.region, operation.name, given)))
    except AwsError as error:
        return wire.failure(error, wire.REST_JSON)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        text = f"localaws failed in {operation.name}: {error!r}"
        return wire.failure(AwsError("InternalFailure", text, status=500), wire.REST_JSON)


def _call(cloud: Cloud, region: str, operation: str, request: Mapping[str, Any]) -> Call:
    return Call(cloud=cloud, region=region, operation=operation, request=request)


def _parameters(
    service: Service, operation: str, labels: Mapping[str, Any], environ: Environ, body: Body
) -> dict[str, Any]:
    """The request's parameters from path, query, headers and body, validated. Raises AwsError."""
    shape = wire.model(service.name).operation_model(operation).input_shape
    assert shape is not None
    payload = shape.serialization.get("payload")
    found: dict[str, Any] = {} if payload else _json(body())
    query = parse_qs(environ.get("QUERY_STRING", ""))
    for name, member in shape.members.items():
        place = member.serialization.get("location")
        wire_name = member.serialization.get("name", name)
        if place == "uri" and name in labels:
            found[name] = labels[name]
        elif place == "querystring" and wire_name in query:
            found[name] = _typed(member, query[wire_name])
        elif place == "header" and (text := environ.get(f"HTTP_{wire_name.upper().replace('-', '_')}")):
            found[name] = text
    parsed = wire.parse(service.name, operation, json.dumps(found).encode())
    return {**parsed, payload: body()} if payload else parsed


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", f"The request body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise AwsError("SerializationException", "The request body is no JSON object")
    return found


def _typed(member: Any, texts: list[str]) -> Any:
    if member.type_name == "list":
        return texts
    whole = member.type_name in ("integer", "long") and texts[0].lstrip("-").isdigit()
    return int(texts[0]) if whole else texts[0]


def _rendered(service: Service, operation: str, result: Mapping[str, Any] | None) -> Answer:
    """The answer: header members in headers, the payload or all others in the body."""
    model = wire.model(service.name).operation_model(operation)
    shape, found = model.output_shape, {k: v for k, v in (result or {}).items() if v is not None}
    status = int(model.http.get("responseCode", 200))
    headers = [("Content-Type", wire.REST_JSON), ("x-amzn-RequestId", str(uuid4()))]
    if shape is None:
        return status, headers, b""
    for name, member in shape.members.items():
        place = member.serialization.get("location")
        if place == "statusCode":
            status = int(found.pop(name, status))
        elif place == "header" and name in found:
            headers.append((member.serialization["name"], str(found.pop(name))))
    payload = shape.serialization.get("payload")
    if payload:
        return status, headers, found.get(payload, b"")
    return status, headers, json.dumps(wire.render(shape, found)).encode()
