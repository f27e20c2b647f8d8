"""The verbs over gRPC, as the engine calls them: one provider process on moto, in this process for the tests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from moto.server import ThreadedMotoServer
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from localaws.pulumi_provider.install import script
from localaws.pulumi_provider.lifecycle import PartlyCreatedError
from localaws.pulumi_provider.provider import Provider
from localaws.pulumi_provider.server import Servicer
from localaws.pulumi_provider.values import UNKNOWN, from_struct, to_struct

BUCKET = "urn:pulumi:dev::demo::aws:s3/bucket:Bucket::data"
DIFF = provider_pb2.DiffResponse


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def provider(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Provider:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return Provider()


@pytest.fixture
def engine(provider: Provider) -> Iterator[Any]:
    """A client of the provider, configured, as the engine is one."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider, "7.51.1"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        client = provider_pb2_grpc.ResourceProviderStub(channel)
        args = {"region": "us-east-1", "defaultTags": '{"tags": {"team": "ml"}}'}
        client.Configure(provider_pb2.ConfigureRequest(args=to_struct(args)))
        yield client
    server.stop(None).wait()


def check(engine: Any, urn: str, **inputs: Any) -> Any:
    return engine.Check(provider_pb2.CheckRequest(urn=urn, news=to_struct(inputs), randomSeed=b"seed"))


def test_create_read_update_delete(engine: Any) -> None:
    inputs = check(engine, BUCKET, forceDestroy=True).inputs
    assert from_struct(inputs)["bucket"].startswith("data-")
    made = engine.Create(provider_pb2.CreateRequest(urn=BUCKET, properties=inputs))
    state = from_struct(made.properties)
    assert state["arn"] == f"arn:aws:s3:::{made.id}"
    assert state["tagsAll"] == {"team": "ml"}

    news = to_struct({**from_struct(inputs), "tags": {"a": "b"}})
    diff = engine.Diff(
        provider_pb2.DiffRequest(urn=BUCKET, id=made.id, olds=made.properties, old_inputs=inputs, news=news)
    )
    assert diff.changes == DIFF.DIFF_SOME
    assert set(diff.detailedDiff) == {"tags.team", "tags.a"}
    assert not diff.replaces

    updated = engine.Update(
        provider_pb2.UpdateRequest(urn=BUCKET, id=made.id, olds=made.properties, old_inputs=inputs, news=news)
    )
    assert from_struct(updated.properties)["tags"] == {"a": "b"}

    read = engine.Read(provider_pb2.ReadRequest(urn=BUCKET, id=made.id, properties=updated.properties, inputs=news))
    assert read.id == made.id
    assert from_struct(read.inputs) == from_struct(news)
    imported = engine.Read(provider_pb2.ReadRequest(urn=BUCKET, id=made.id))
    assert from_struct(imported.inputs) == {
        "bucket": made.id,
        "forceDestroy": False,
        "tags": {"a": "b"},
        "__defaults": [],
    }

    for _ in range(2):  # the second time it is gone already
        engine.Delete(provider_pb2.DeleteRequest(urn=BUCKET, id=made.id, properties=updated.properties))
    gone = engine.Read(provider_pb2.ReadRequest(urn=BUCKET, id=made.id, properties=updated.properties, inputs=news))
    assert gone.id == ""


def test_a_change_of_region_replaces(engine: Any) -> None:
    inputs = check(engine, BUCKET).inputs
    state = to_struct({**from_struct(inputs), "region": "us-east-1"})
    moved = to_struct({**from_struct(inputs), "region": "eu-west-1"})
    request = provider_pb2.DiffRequest(urn=BUCKET, olds=state, old_inputs=inputs, news=moved)
    assert list(engine.Diff(request).replaces) == ["region"]
    same = provider_pb2.DiffRequest(urn=BUCKET, olds=state, old_inputs=inputs, news=inputs)
    assert engine.Diff(same).changes == DIFF.DIFF_NONE


def test_faults_are_check_failures(engine: Any) -> None:
    failures = check(engine, BUCKET, forceDestory=True).failures
    assert [failure.property for failure in failures] == ["forceDestory"]
    config = engine.CheckConfig(provider_pb2.CheckRequest(news=to_struct({"regoin": "x"})))
    assert [failure.property for failure in config.failures] == ["regoin"]


def test_errors_name_verb_type_name_operation_and_code_without_a_trace(engine: Any) -> None:
    urn = "urn:pulumi:dev::demo::my:Component$aws:iam/rolePolicy:RolePolicy::rights"
    inputs = check(engine, urn, role="nobody", policy="{}").inputs
    with pytest.raises(grpc.RpcError) as caught:
        engine.Create(provider_pb2.CreateRequest(urn=urn, properties=inputs))
    assert caught.value.details().startswith(
        "creating aws:iam/rolePolicy:RolePolicy (rights): PutRolePolicy: NoSuchEntity: "
    )
    assert "Traceback" not in caught.value.details() and "File" not in caught.value.details()


def test_an_unknown_type_is_named_with_the_nearest(engine: Any) -> None:
    with pytest.raises(
        grpc.RpcError, match="bukcet:Bucket' is no resource type of this provider; did you mean 'aws:s3/b"
    ):
        check(engine, "urn:pulumi:dev::demo::aws:s3/bukcet:Bucket::data")


def test_preview_makes_nothing_and_hides_what_is_not_known(engine: Any) -> None:
    inputs = check(engine, BUCKET).inputs
    planned = engine.Create(provider_pb2.CreateRequest(urn=BUCKET, properties=inputs, preview=True))
    assert planned.id == ""
    assert from_struct(planned.properties)["arn"] is UNKNOWN


def test_a_partly_created_resource_is_handed_over(
    engine: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*_arguments: Any) -> None:
        raise PartlyCreatedError("g", {"name": "g"}, {"name": "g"}, "PutRetentionPolicy: Busy: later")

    monkeypatch.setattr(provider, "create", create)
    with pytest.raises(grpc.RpcError) as caught:
        engine.Create(provider_pb2.CreateRequest(urn="urn:pulumi:d::p::aws:cloudwatch/logGroup:LogGroup::log"))
    packed = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    assert b"pulumirpc.ErrorResourceInitFailed" in packed


def test_functions(engine: Any) -> None:
    def invoke(name: str) -> dict[str, Any]:
        token = f"aws:index/{name}:{name}"
        answer = engine.Invoke(provider_pb2.InvokeRequest(tok=token))
        return from_struct(getattr(answer, "return"))

    assert invoke("getCallerIdentity")["accountId"] == "123456789012"
    assert invoke("getRegion") == {
        "description": "US East (N. Virginia)",
        "endpoint": "ec2.us-east-1.amazonaws.com",
        "id": "us-east-1",
        "name": "us-east-1",
        "region": "us-east-1",
    }
    assert invoke("getPartition") == {
        "dnsSuffix": "amazonaws.com",
        "id": "aws",
        "partition": "aws",
        "reverseDnsPrefix": "com.amazonaws",
    }
    with pytest.raises(grpc.RpcError, match="did you mean 'aws:index/getRegion:getRegion'"):
        invoke("getRegoin")


def test_another_account_is_refused(engine: Any) -> None:
    args = to_struct({"region": "us-east-1", "allowedAccountIds": '["999999999999"]'})
    with pytest.raises(grpc.RpcError, match="the account is 123456789012, allowed: 999999999999"):
        engine.Configure(provider_pb2.ConfigureRequest(args=args))


def test_cancel_ends_waits(engine: Any, provider: Provider) -> None:
    engine.Cancel(empty_pb2.Empty())
    assert provider.cancelled.is_set()


def test_the_installed_script_runs_this_package() -> None:
    assert script().endswith('-m localaws.pulumi_provider "$@"\n')
