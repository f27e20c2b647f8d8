# ruff: noqa: N802 - the method names are the protocol's
"""The provider behind gRPC, as the Pulumi engine speaks it.

Written on the generated protocol classes, not on `pulumi.provider.experimental`: that base drops the content hash of
assets, reads unknown values as text and appends a Python stack trace to every error. Each request runs in a thread of
its own, so the engine's parallelism is used although botocore blocks.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn, TypeVar

import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from localaws.pulumi_provider import config
from localaws.pulumi_provider.aws import CallError, NotLoopbackError
from localaws.pulumi_provider.check import UnknownTokenError
from localaws.pulumi_provider.diff import Change, Kind
from localaws.pulumi_provider.lifecycle import PartlyCreatedError
from localaws.pulumi_provider.provider import Provider
from localaws.pulumi_provider.scalars import Failure
from localaws.pulumi_provider.values import from_struct, to_struct
from localaws.pulumi_provider.waiters import WaitError

THREADS: Final = 64
ENGINE_CHECK_SECONDS: Final = 2.0
MESSAGE_LIMIT_BYTES: Final = 400 * 1024 * 1024  # what the engine itself uses
# Faults of the program or of AWS: reported by their text. Anything else is a bug here and keeps its trace in the log.
EXPECTED: Final = (CallError, NotLoopbackError, OSError, UnknownTokenError, ValueError, WaitError)

_KINDS: Final = {
    (Kind.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Kind.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Kind.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Kind.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Kind.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Kind.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}

Method = TypeVar("Method", bound=Callable[..., Any])


def _verb(doing: str) -> Callable[[Method], Method]:
    """Turns a method's expected errors into a gRPC error `doing TYPE (NAME): text`."""

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def wrapper(self: Servicer, request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return method(self, request, context)
            except PartlyCreatedError as error:
                _abort_partly_created(context, f"{_subject(doing, request)}: {error}", error)
            except EXPECTED as error:
                context.abort(grpc.StatusCode.UNKNOWN, f"{_subject(doing, request)}: {error}")

        return wrapper  # type: ignore[return-value]

    return decorate


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One method for each request of the engine."""

    def __init__(self, provider: Provider, version: str) -> None:
        self.provider = provider
        self.version = version

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The plugin's version."""
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Names only: programs use the schema that is built into pulumi-aws."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": self.version}))

    @_verb("checking the configuration of")
    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Names and addresses in the provider's inputs."""
        faults = config.failures(from_struct(request.news))
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(faults))

    @_verb("comparing the configuration of")
    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """A changed configuration is taken over in place."""
        changed = from_struct(request.old_inputs or request.olds) != from_struct(request.news)
        kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=kind)

    @_verb("configuring")
    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Takes the configuration; secrets are left to the engine, which marks them in the state."""
        self.provider.configure(from_struct(request.args))
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    @_verb("calling")
    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        """A function such as getRegion."""
        result = self.provider.invoke(request.tok, from_struct(request.args))
        return provider_pb2.InvokeResponse(**{"return": to_struct(result)})

    @_verb("checking")
    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Inputs completed and checked."""
        token, name = _type_and_name(request.urn)
        old, new = from_struct(request.olds), from_struct(request.news)
        inputs, faults = self.provider.check(token, name, old, new, request.randomSeed)
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=_failures(faults))

    @_verb("comparing")
    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        """What changed, and whether that needs a new resource."""
        token, _ = _type_and_name(request.urn)
        old, state, new = (from_struct(part) for part in (request.old_inputs, request.olds, request.news))
        row, found, delete_first = self.provider.diff(token, old, state, new)
        replaces = sorted({change.property for change in found if change.replaces})
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({change.property for change in found}),
            replaces=replaces,
            stables=[name for name in row.replacing() if name not in replaces],
            deleteBeforeReplace=bool(replaces) and delete_first,
            detailedDiff={change.path: _property_diff(change) for change in found},
            hasDetailedDiff=True,
        )

    @_verb("creating")
    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        """A new resource, or in a preview its expected state."""
        token, name = _type_and_name(request.urn)
        inputs = from_struct(request.properties)
        resource_id, state = self.provider.create(token, name, inputs, request.preview, request.timeout)
        return provider_pb2.CreateResponse(id=resource_id, properties=to_struct(state))

    @_verb("reading")
    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        """State and inputs as they are in AWS; no id if the resource is gone."""
        token, _ = _type_and_name(request.urn)
        old_state, old_inputs = from_struct(request.properties), from_struct(request.inputs)
        state, inputs = self.provider.read(token, request.id, old_state, old_inputs)
        if not state:
            return provider_pb2.ReadResponse()
        resource_id = self.provider.row(token).id.format(**state)
        return provider_pb2.ReadResponse(id=resource_id, properties=to_struct(state), inputs=to_struct(inputs))

    @_verb("updating")
    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Changes in place."""
        token, _ = _type_and_name(request.urn)
        old, state, new = (from_struct(part) for part in (request.old_inputs, request.olds, request.news))
        result = self.provider.update(token, old, state, new, request.preview, request.timeout)
        return provider_pb2.UpdateResponse(properties=to_struct(result))

    @_verb("deleting")
    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The end of a resource."""
        token, _ = _type_and_name(request.urn)
        self.provider.delete(token, from_struct(request.properties), request.timeout)
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Ends every wait."""
        self.provider.cancelled.set()
        return empty_pb2.Empty()


def serve(provider: Provider, version: str) -> None:
    """Serves until the engine ends this process or dies. Prints the port on standard output, as the engine expects."""
    options = [("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(max_workers=THREADS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider, version), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    engine = os.getppid()
    while server.wait_for_termination(ENGINE_CHECK_SECONDS):  # true: still serving
        if os.getppid() != engine:  # a killed engine ends nobody
            server.stop(None)
            return


def _type_and_name(urn: str) -> tuple[str, str]:
    """Type and logical name of `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`."""
    _, _, qualified, name = urn.split("::", 3)
    return qualified.rpartition("$")[2], name


def _subject(doing: str, request: Any) -> str:
    if isinstance(request, provider_pb2.InvokeRequest):
        return f"{doing} {request.tok}"
    token, name = _type_and_name(request.urn) if request.urn else ("the aws provider", "")
    return f"{doing} {token} ({name})" if name else f"{doing} {token}"


def _failures(faults: list[Failure]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=fault.path, reason=fault.reason) for fault in faults]


def _property_diff(change: Change) -> Any:
    return provider_pb2.PropertyDiff(kind=_KINDS[change.kind, change.replaces], inputDiff=True)


def _abort_partly_created(context: grpc.ServicerContext, text: str, error: PartlyCreatedError) -> NoReturn:
    """The engine's way to record a resource that exists but is not finished."""
    detail = any_pb2.Any()
    state, inputs = to_struct(error.state), to_struct(error.inputs)
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(id=error.resource_id, properties=state, reasons=[text], inputs=inputs)
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, text)
    raise AssertionError("abort always raises")
