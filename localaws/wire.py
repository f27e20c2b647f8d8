"""AWS's wire formats from botocore's own service models: parse, validate, answer, fail.

The models say what is required, which enum values and patterns hold, and what an answer may contain; this file only
walks them. It serves the JSON services (`X-Amz-Target`) and the errors of the rest-json runtime.
"""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from localaws.errors import AwsError

JSON_1_1 = "application/x-amz-json-1.1"
REST_JSON = "application/json"
GZIP_MAGIC = b"\x1f\x8b"  # SDKs compress large requests of some operations, PutMetricData among them

Answer = tuple[int, list[tuple[str, str]], bytes]


@cache
def model(service: str) -> ServiceModel:
    """botocore's model of a service, for example "sagemaker". Loading takes some 0.1 s, once."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def parse(service: str, operation: str, body: bytes) -> dict[str, Any]:
    """The request's parameters, validated; members that the model does not know are dropped, as AWS does.

    Raises AwsError: SerializationException for a body of the wrong form, ValidationException for broken constraints.
    """
    try:
        raw = json.loads(gzip.decompress(body) if body.startswith(GZIP_MAGIC) else body or b"{}")
    except (ValueError, OSError, EOFError) as error:
        raise AwsError("SerializationException", f"The request body is not JSON: {error}") from error
    shape = model(service).operation_model(operation).input_shape
    if shape is None:
        return {}
    broken: list[str] = []
    value = _parse(shape, raw, "", broken)
    if broken:
        plural = "error" if len(broken) == 1 else "errors"
        raise AwsError("ValidationException", f"{len(broken)} validation {plural} detected: {'; '.join(broken)}")
    return dict(value)


def _parse(shape: Any, value: Any, path: str, broken: list[str]) -> Any:
    read: Any = _READERS.get(shape.type_name)
    wanted = _JSON_TYPES[shape.type_name]
    if not isinstance(value, wanted) or (isinstance(value, bool) and shape.type_name != "boolean"):
        given = type(value).__name__
        raise AwsError("SerializationException", f"{path or 'the body'} has type {given}, expected {shape.type_name}")
    value = read(shape, value, path, broken) if read else value
    broken.extend(_broken_constraints(shape, value, path))
    return value


def _parse_structure(shape: Any, value: dict[str, Any], path: str, broken: list[str]) -> dict[str, Any]:
    given = {name: value[name] for name in shape.members if value.get(name) is not None}
    for name in shape.required_members:
        if name not in given:
            at = _member_path(path, name)
            broken.append(f"Value null at '{at}' failed to satisfy constraint: Member must not be null")
    return {name: _parse(shape.members[name], item, _member_path(path, name), broken) for name, item in given.items()}


def _parse_list(shape: Any, value: list[Any], path: str, broken: list[str]) -> list[Any]:
    return [_parse(shape.member, item, f"{path}.{n}.member", broken) for n, item in enumerate(value, 1)]


def _parse_map(shape: Any, value: dict[str, Any], path: str, broken: list[str]) -> dict[str, Any]:
    for key in value:
        _parse(shape.key, key, f"{path}.key", broken)
    return {key: _parse(shape.value, item, f"{path}.{key}.member", broken) for key, item in value.items()}


def _parse_timestamp(shape: Shape, value: Any, path: str, broken: list[str]) -> float:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)
    except ValueError as error:
        raise AwsError("SerializationException", f"{path} is {value!r}, expected a time") from error


_READERS = {"structure": _parse_structure, "list": _parse_list, "map": _parse_map, "timestamp": _parse_timestamp}
_JSON_TYPES: dict[str, Any] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}


def _member_path(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _broken_constraints(shape: Shape, value: Any, path: str) -> Iterator[str]:
    sized = shape.type_name in ("string", "list", "map", "blob")
    measure = "length" if sized else "value"
    number = len(value) if sized else value
    rules = shape.metadata
    if "min" in rules and number < rules["min"]:
        yield _sentence(value, path, f"Member must have {measure} greater than or equal to {rules['min']}")
    if "max" in rules and number > rules["max"]:
        yield _sentence(value, path, f"Member must have {measure} less than or equal to {rules['max']}")
    if "enum" in rules and value not in rules["enum"]:
        yield _sentence(value, path, f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]")
    if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
        yield _sentence(value, path, f"Member must satisfy regular expression pattern: {rules['pattern']}")


def _sentence(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


# The models' patterns are Java's: `re` has neither Unicode categories nor surrogate pairs, and some rows are
# for slips in the models themselves. In order; what stands bare, outside of brackets, comes first.
_JAVA_TO_PYTHON = (
    (r"\p{Print}+", r"[\x20-\x7e]+"),
    (r"\p{Print}", r"\x20-\x7e"),
    (r"\p{L}", r"a-zA-Z\u00aa-\u02c1\u0370-\uffdc"),
    (r"\p{M}", r"\u0300-\u036f"),
    (r"\p{N}", r"\d"),
    (r"\p{Zs}", r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"),
    (r"\p{Z}-_]", r"\s_-]"),
    (r"\p{Z}", r"\s"),
    (r"\p{P}", r"!-/:-@\[-`{-~"),
    (r"\p{S}", r"$+<=>^`|~"),
    (r"\p{Alnum}", r"0-9A-Za-z"),
    (r"\p{ASCII}", r"\x00-\x7f"),
    (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010ffff"),
    (r"\z", r"\Z"),
    (r")${1,", r"){1,"),
    (r"[\w-_]", r"[\w_-]"),
    (r"|(?i).*<script>", r"|.*<script>"),
)


@lru_cache(maxsize=4096)
def _pattern(java: str) -> re.Pattern[str]:
    for theirs, ours in _JAVA_TO_PYTHON:
        java = java.replace(theirs, ours)
    return re.compile(java)


def answer(service: str, operation: str, result: Mapping[str, Any] | None) -> Answer:
    """200 with `result` pruned to the operation's output shape; None is left out, times become epoch seconds."""
    shape = model(service).operation_model(operation).output_shape
    body = json.dumps(render(shape, result or {}) if shape else {}).encode()
    return 200, [("Content-Type", JSON_1_1), ("x-amzn-RequestId", str(uuid4()))], body


def render(shape: Any, value: Any) -> Any:
    """A Python value as the JSON of its shape. Members that are None or unknown to the shape are left out."""
    if shape.type_name == "structure":
        items = ((name, member, value.get(name)) for name, member in shape.members.items())
        return {name: render(member, item) for name, member, item in items if item is not None}
    if shape.type_name == "list":
        return [render(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: render(shape.value, item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).timestamp()
    return value


def failure(error: AwsError, content_type: str = JSON_1_1) -> Answer:
    """An error as both JSON protocols read it: `__type` in the body and the same code in a header."""
    body = {"__type": error.code, "message": error.message, "Message": error.message, **error.fields}
    headers = [
        ("Content-Type", content_type),
        ("x-amzn-ErrorType", error.code),
        ("x-amzn-RequestId", str(uuid4())),
    ]
    return error.status, headers, json.dumps(body).encode()


def xml_failure(error: AwsError, *, wrapped: bool) -> Answer:
    """An error for the query services (`wrapped` in an ErrorResponse) and for S3."""
    fields = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    inner = f"<Error>{fields}</Error>"
    body = f"<ErrorResponse>{inner}<RequestId>{uuid4()}</RequestId></ErrorResponse>" if wrapped else inner
    return error.status, [("Content-Type", "text/xml")], body.encode()
