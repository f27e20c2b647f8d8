"""From an HTTP request of any protocol to what it asks for: actions on resources, with their condition keys.

`read` finds service, operation and parameters; `asks` turns them into the questions that the policies must answer.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl, unquote

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.utils import get_service_model

from localaws import wire
from localaws.iam import rules
from localaws.iam.actions import BY_CLIENT, SERVICES
from localaws.iam.patterns import Context
from localaws.iam.rules import Parameters, Rule, Service
from localaws.iam.statements import Ask

Environ = Mapping[str, Any]
Body = Callable[[], bytes]
"""Reads the request's body, which a request to S3 may have gigabytes of."""

FORM = "application/x-www-form-urlencoded"
# What the signature calls a service that botocore and the tables name otherwise.
SIGNING_NAMES = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
_INVOCATION = re.compile(r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)")
_INVOCATIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}


class NoRuleError(Exception):
    """localaws does not know what the operation needs permission for, so a role may not call it."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One call. `service` is botocore's name, or the signature's where no table exists."""

    service: str
    name: str
    parameters: Parameters


def read(environ: Environ, scope: str, body: Body) -> Operation:
    """The operation of a request that is not S3's; `scope` is the service in its signature. Raises NoRuleError."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        prefix, _, name = target.rpartition(".")
        client = _by_target().get(prefix, scope)
        return Operation(service=client, name=name, parameters=_json(body()))
    invocation = _INVOCATION.fullmatch(environ["PATH_INFO"])
    if invocation:
        headers = {"TargetModel": environ.get("HTTP_X_AMZN_SAGEMAKER_TARGET_MODEL")}
        found = {"EndpointName": unquote(invocation[1]), **headers}
        return Operation(service="sagemaker-runtime", name=_INVOCATIONS[invocation[2]], parameters=found)
    client = SIGNING_NAMES.get(scope, scope)
    if environ.get("CONTENT_TYPE", "").startswith(FORM) or "Action=" in environ.get("QUERY_STRING", ""):
        fields = form(environ, body)
        name = fields.get("Action", "")
        return Operation(service=client, name=name, parameters=parameters(client, name, fields))
    return _rest(client, environ, body)


@cache
def _by_target() -> dict[str, str]:
    named = ((wire.model(service.client).metadata.get("targetPrefix"), service.client) for service in SERVICES)
    return {prefix: client for prefix, client in named if prefix}


def _json(body: bytes) -> Parameters:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}  # whoever answers the call refuses the body; what it asks for is then everything, "*"
    return found if isinstance(found, dict) else {}


def form(environ: Environ, body: Body) -> dict[str, str]:
    """The fields of a query request, wherever it has them."""
    found = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return dict(found + parse_qsl(body().decode("utf-8", "replace"), keep_blank_values=True))


def parameters(client: str, name: str, fields: Mapping[str, str]) -> Parameters:
    """The fields of a query request as the operation's parameters."""
    if client not in BY_CLIENT or name not in wire.model(client).operation_names:
        return {}
    # moto's parser wants moto's own kind of model.
    parser = PROTOCOL_PARSERS["ec2" if client == "ec2" else "query"](get_service_model(client).operation_model(name))
    try:
        found: Parameters = parser.parse({"values": fields})
    except ValueError:
        return {}  # a number that is none: refused by whoever answers; asked for is then everything
    return found


def _rest(client: str, environ: Environ, body: Body) -> Operation:
    """REST JSON: the operation is in method and path, parameters in path, query and body."""
    raw = environ.get("RAW_URI", "")  # an ARN in a path holds slashes that PATH_INFO shows decoded
    path = (raw.partition("?")[0] if raw.startswith("/") else environ["PATH_INFO"]).rstrip("/") or "/"
    method = environ["REQUEST_METHOD"]
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    for verb, pattern, name in _paths(client) if client in BY_CLIENT else ():
        found = pattern.fullmatch(path) if verb == method else None
        if found:
            labels = {label: unquote(text) for label, text in found.groupdict().items()}
            renamed = _renamed_query(client, name, query)
            return Operation(service=client, name=name, parameters={**_json(body()), **renamed, **labels})
    raise NoRuleError(f"localaws has no rule for {method} {environ['PATH_INFO']} of {client or 'an unsigned service'}")


@cache
def _paths(client: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    model = wire.model(client)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        template = http["requestUri"].partition("?")[0].rstrip("/") or "/"
        words = re.split(r"\{(\w+)\+?\}", template)
        pattern = "".join(f"(?P<{text}>[^/]+)" if n % 2 else re.escape(text) for n, text in enumerate(words))
        found.append((http["method"], re.compile(pattern), name))
    return tuple(found)


def _renamed_query(client: str, name: str, query: Mapping[str, str]) -> dict[str, str]:
    shape = wire.model(client).operation_model(name).input_shape
    places = {
        member.serialization.get("name", key): key
        for key, member in (shape.members if shape else {}).items()
        if member.serialization.get("location") == "querystring"
    }
    return {places[key]: value for key, value in query.items() if key in places}


def asks(operation: Operation, region: str, base: Context, tags_of: Callable[[str], Mapping[str, str]]) -> list[Ask]:
    """What the call asks for; nothing for an operation that everybody may call. Raises NoRuleError.

    `base`: the condition keys of the session and the connection; `tags_of`: a resource's tags, by its ARN.
    """
    service = BY_CLIENT.get(operation.service)
    if service is not None and operation.name in service.open:
        return []
    rule = service.rules.get(operation.name) if service is not None else None
    if service is None or rule is None:
        raise NoRuleError(f"localaws has no rule for {operation.name} of {operation.service}")
    parameters = service.normalise(operation.parameters, region)
    return list(_asks(service, rule, operation.name, parameters, region, _Keys(base, tags_of, service.prefix)))


@dataclass(frozen=True)
class _Keys:
    base: Context
    tags_of: Callable[[str], Mapping[str, str]]
    prefix: str

    def of(self, resource: str, own: Context) -> Context:
        """All condition keys of one ask: the call's and those of its resource's tags."""
        tags = self.tags_of(resource) if resource != rules.ANY else {}
        return {**self.base, **tag_keys("aws:ResourceTag", tags), **tag_keys(f"{self.prefix}:ResourceTag", tags), **own}


def tag_keys(name: str, tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {f"{name}/{key}".lower(): (value,) for key, value in tags.items()}


def _asks(
    service: Service, rule: Rule, operation: str, parameters: Parameters, region: str, keys: _Keys
) -> Iterator[Ask]:
    own = {
        key.lower(): tuple(found) for key, path in rule.conditions.items() if (found := rules.texts(parameters, path))
    }
    tags = rules.tags(parameters, rule.tags)
    if tags:
        own |= {**tag_keys("aws:RequestTag", tags), "aws:tagkeys": tuple(tags)}
    ask = partial(_ask, keys, own)
    arns = list(dict.fromkeys(service.arns(rule, parameters, region)))
    yield from (ask(f"{service.prefix}:{rule.action or operation}", arn) for arn in arns)
    if tags and rule.tag_action:
        yield ask(f"{service.prefix}:{rule.tag_action}", arns[0])
    for path, receiver in rule.passes.items():
        for role in dict.fromkeys(rules.texts(parameters, path)):
            passed = {"iam:passedtoservice": (receiver,)}
            yield Ask(action="iam:PassRole", resource=role, context=keys.of(role, passed))


def _ask(keys: _Keys, own: Context, action: str, resource: str) -> Ask:
    return Ask(action=action, resource=resource, context=keys.of(resource, own))
