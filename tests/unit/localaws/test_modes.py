"""Serverless and shadow variants, data capture, and the options that are only described."""

import json
import os
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from localaws.sagemaker import memory
from localaws.sagemaker.instance import Instance, NotHealthyError
from tests.unit.localaws.aws import Aws, alive, running, unique, wait_for
from tests.unit.localaws.hosting import (
    NAME_SERVER,
    calling,
    config,
    keys,
    metric,
    model,
    serverless,
    serving,
    variant,
)


@pytest.fixture(scope="module")
def stepped() -> Iterator[Aws]:
    """A localaws of its own, whose clock is stepped by hand."""
    with running() as (url, _):
        own = Aws(url)
        own.post("/_localaws/clock", {"mode": "stepped"})
        yield own


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"serve": NAME_SERVER})


@pytest.fixture(scope="module")
def plain(aws: Aws, image: str) -> str:
    return model(aws, image, {"NAME": "plain"})


# Serverless


def test_serverless_starts_a_process_for_each_request_at_a_time(aws: Aws, plain: str) -> None:
    endpoint = serving(aws, config(aws, serverless(plain, 2, ProvisionedConcurrency=1)))
    described = aws.describe(endpoint)["ProductionVariants"][0]
    expected = {"MemorySizeInMB": 2048, "MaxConcurrency": 2, "ProvisionedConcurrency": 1}
    assert described["CurrentServerlessConfig"] == expected
    assert "CurrentInstanceCount" not in described
    pids = [aws.invoke(endpoint)["pid"] for _ in range(3)]
    assert len(set(pids)) == 1
    aws.client("sagemaker-runtime")
    busy = threading.Thread(target=lambda: pids.append(aws.invoke(endpoint, "slow")["pid"]))
    busy.start()
    logged = f"/aws/sagemaker/Endpoints/{endpoint}"
    wait_for(lambda: "got slow" in aws.log(logged, "main/") or not busy.is_alive(), "the slow request")
    second = aws.invoke(endpoint)["pid"]
    busy.join()
    assert (pids[-1], second != pids[0]) == (pids[0], True)


def test_serverless_throttles_above_its_concurrency(aws: Aws, plain: str) -> None:
    endpoint = serving(aws, config(aws, serverless(plain, 1)))
    created = aws.describe(endpoint)["CreationTime"]
    errors: list[tuple[str, int]] = []

    def call() -> None:
        try:
            aws.invoke(endpoint, "slow")
        except ClientError as error:
            answer = error.response
            errors.append((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]))

    aws.client("sagemaker-runtime")
    workers = [threading.Thread(target=call) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == [("ThrottlingException", 429)] * 2
    assert metric(aws, endpoint, created, "ServerlessConcurrentExecutionsUtilization", "Maximum") == [1.0]


def test_a_serverless_update_loses_no_call(aws: Aws, image: str) -> None:
    old, new = (config(aws, serverless(model(aws, image, {"NAME": name}), 4)) for name in ("old", "new"))
    endpoint = serving(aws, old)
    with calling(aws, endpoint, threads=2) as calls:
        wait_for(lambda: calls.answers, "a call")
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
        assert aws.settled(endpoint)["EndpointConfigName"] == new
        wait_for(lambda: calls.answers[-1] == "new", "a call after the update")
    assert calls.errors == []


def test_a_serverless_variant_scales_to_zero_and_starts_again_on_demand(stepped: Aws) -> None:
    endpoint = serving(stepped, config(stepped, serverless(model(stepped, stepped.image({"serve": NAME_SERVER})), 2)))
    created = stepped.describe(endpoint)["CreationTime"]
    pids = [stepped.invoke(endpoint)["pid"] for _ in range(2)]
    stepped.post("/_localaws/clock", {"advance_seconds": 3600})
    stepped.client("cloudwatch").describe_alarms()
    wait_for(lambda: not alive(pids[0]), "the end of the idle process")
    pids += [stepped.invoke(endpoint)["pid"] for _ in range(2)]
    assert (pids[0], pids[2]) == (pids[1], pids[3])
    assert pids[2] != pids[0]
    setups = metric(stepped, endpoint, created, "ModelSetupTime", "SampleCount")
    assert setups == [1.0, 1.0]  # of four requests those two that came to a new process


def test_a_server_with_more_memory_than_its_variant_is_not_healthy() -> None:
    """The interpreter of the tests stands for a server: one that holds a gigabyte would be slow to start."""
    held = memory.used_bytes(os.getpid())
    assert held is not None
    process, server = SimpleNamespace(pid=os.getpid()), SimpleNamespace(variant="main")
    item = cast(Instance, SimpleNamespace(process=process, server=server))
    memory.check(item, 6144)
    with pytest.raises(NotHealthyError, match=r"main did not pass .* it holds \d+ MB, more than its MemorySizeInMB"):
        memory.check(item, 1)
    assert memory.used_bytes(0) is None


def test_the_memory_of_a_serverless_variant_is_told_in_percent_of_its_own(stepped: Aws) -> None:
    endpoint = serving(stepped, config(stepped, serverless(model(stepped, stepped.image({"serve": NAME_SERVER})))))
    created = stepped.describe(endpoint)["CreationTime"]
    stepped.post("/_localaws/clock", {"advance_seconds": 60})
    [percent] = metric(stepped, endpoint, created, "MemoryUtilization", "Average", "/aws/sagemaker/Endpoints")
    assert 0.2 < percent < 20  # a bare Python has some 20 MB of its 2048 MB


@pytest.mark.parametrize(
    ("change", "extra", "text"),
    [
        ({"InstanceType": "ml.m5.large"}, {}, "ServerlessConfig and cannot have InstanceType"),
        ({"InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2"}, {}, "cannot have InferenceAmiVersion"),
        ({"VolumeSizeInGB": 8}, {}, "cannot have VolumeSizeInGB"),
        ({"ServerlessConfig": {"MemorySizeInMB": 2000, "MaxConcurrency": 1}}, {}, "Invalid MemorySizeInMB 2000"),
        ({"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 201}}, {}, "less than or equal to 200"),
        (
            {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2, "ProvisionedConcurrency": 3}},
            {},
            "ProvisionedConcurrency 3 of variant main must be less than or equal to its MaxConcurrency 2",
        ),
        ({}, {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://b/o"}}}, "AsyncInferenceConfig is not"),
        (
            {},
            {
                "DataCaptureConfig": {
                    "EnableCapture": True,
                    "InitialSamplingPercentage": 1,
                    "DestinationS3Uri": "s3://b/c",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                }
            },
            "DataCaptureConfig is not supported with a serverless variant",
        ),
    ],
)
def test_what_serverless_cannot_have(
    aws: Aws, plain: str, change: dict[str, Any], extra: dict[str, Any], text: str
) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*{text}"):
        config(aws, {**serverless(plain), **change}, **extra)


def test_serverless_models_have_no_isolation(aws: Aws, image: str) -> None:
    isolated = model(aws, image, EnableNetworkIsolation=True)
    assert aws.client("sagemaker").describe_model(ModelName=isolated)["EnableNetworkIsolation"] is True
    with pytest.raises(ClientError, match="isolation, which serverless endpoints do not support"):
        config(aws, serverless(isolated))


def test_serverless_models_are_in_no_vpc(aws: Aws, image: str) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=unique("g"), Description="d", VpcId=vpc)["GroupId"]
    network = {"Subnets": [subnet], "SecurityGroupIds": [group]}
    inside = model(aws, image, VpcConfig=network)
    assert aws.client("sagemaker").describe_model(ModelName=inside)["VpcConfig"] == network
    with pytest.raises(ClientError, match="VpcConfig, which serverless endpoints do not support"):
        config(aws, serverless(inside))
    assert aws.describe(serving(aws, config(aws, variant(inside))))["EndpointStatus"] == "InService"


def test_instances_are_not_converted_to_serverless(aws: Aws, plain: str) -> None:
    endpoint = serving(aws, config(aws, variant(plain)))
    with pytest.raises(ClientError, match="an instance-based endpoint cannot be converted to a serverless one"):
        aws.client("sagemaker").update_endpoint(
            EndpointName=endpoint, EndpointConfigName=config(aws, serverless(plain))
        )
    back = serving(aws, config(aws, serverless(plain)))
    instances = config(aws, variant(plain))
    aws.client("sagemaker").update_endpoint(EndpointName=back, EndpointConfigName=instances)
    assert aws.settled(back)["EndpointConfigName"] == instances


# Data capture


def capturing(aws: Aws, percent: int, *modes: str) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percent,
        "DestinationS3Uri": f"s3://{aws.bucket}/{unique('capture')}",
        "CaptureOptions": [{"CaptureMode": mode} for mode in modes],
    }


def test_requests_and_answers_are_captured(aws: Aws, plain: str) -> None:
    wanted = capturing(aws, 100, "Input", "Output")
    endpoint = serving(aws, config(aws, variant(plain), DataCaptureConfig=wanted))
    aws.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body="1,2", ContentType="text/csv")
    prefix = wanted["DestinationS3Uri"].split("/", 3)[3]
    [key] = wait_for(lambda: keys(aws, prefix), "the capture")
    parts = key.removeprefix(f"{prefix}/").split("/")
    assert (parts[:2], [len(part) for part in parts[2:6]]) == ([endpoint, "main"], [4, 2, 2, 2])
    assert parts[6].endswith(".jsonl")
    [line] = aws.read(f"s3://{aws.bucket}/{key}").splitlines()
    found = json.loads(line)
    assert found["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "1,2",
        "encoding": "CSV",
    }
    assert found["captureData"]["endpointOutput"]["encoding"] == "JSON"
    assert set(found["eventMetadata"]) == {"eventId", "inferenceTime"}
    described = aws.describe(endpoint)["DataCaptureConfig"]
    assert (described["CaptureStatus"], described["CurrentSamplingPercentage"]) == ("Started", 100)


def test_the_sample_of_a_capture(aws: Aws, plain: str) -> None:
    nothing, inputs = capturing(aws, 0, "Input"), capturing(aws, 100, "Input")
    silent = serving(aws, config(aws, variant(plain), DataCaptureConfig=nothing))
    endpoint = serving(aws, config(aws, variant(plain), DataCaptureConfig=inputs))
    for name in (silent, endpoint):
        aws.invoke(name, "x")
    [key] = wait_for(lambda: keys(aws, inputs["DestinationS3Uri"].split("/", 3)[3]), "the capture")
    found = json.loads(aws.read(f"s3://{aws.bucket}/{key}"))
    assert list(found["captureData"]) == ["endpointInput"]
    assert found["captureData"]["endpointInput"]["encoding"] == "BASE64"  # text/plain is neither CSV nor JSON
    assert keys(aws, nothing["DestinationS3Uri"].split("/", 3)[3]) == []


# Shadow variants


def test_a_shadow_gets_copies_and_its_answers_are_dropped(aws: Aws, image: str, plain: str) -> None:
    shadow = variant(model(aws, image, {"NAME": "shadow"}), "shadow")
    endpoint = serving(aws, config(aws, variant(plain), ShadowProductionVariants=[shadow]))
    assert {aws.invoke(endpoint, "copy me")["name"] for _ in range(5)} == {"plain"}
    wait_for(
        lambda: aws.log(f"/aws/sagemaker/Endpoints/{endpoint}", "shadow/").count("got copy me") == 5, "five copies"
    )
    described = aws.describe(endpoint)
    assert [item["VariantName"] for item in described["ProductionVariants"]] == ["main"]
    assert [item["VariantName"] for item in described["ShadowProductionVariants"]] == ["shadow"]
    with pytest.raises(ClientError, match="Variant shadow not found"):
        aws.invoke(endpoint, TargetVariant="shadow")


def test_shadow_rules(aws: Aws, plain: str) -> None:
    shadow = [variant(plain, "shadow")]
    with pytest.raises(ClientError, match="only one variant for ProductionVariants and one variant for"):
        config(aws, variant(plain, "a"), variant(plain, "b"), ShadowProductionVariants=shadow)
    output = {"OutputConfig": {"S3OutputPath": "s3://b/o"}}
    with pytest.raises(ClientError, match="not supported with AsyncInferenceConfig"):
        config(aws, variant(plain), ShadowProductionVariants=shadow, AsyncInferenceConfig=output)
    with pytest.raises(ClientError, match="one production variant and no shadow variant"):
        config(aws, serverless(plain), ShadowProductionVariants=shadow)
    with pytest.raises(ClientError, match="Variant names must be unique"):
        config(aws, variant(plain), ShadowProductionVariants=[variant(plain)])


# Options of a variant


def test_the_startup_limit_of_a_variant_is_by_the_clock(stepped: Aws) -> None:
    sick = model(stepped, stepped.image({"serve": NAME_SERVER}), {"PING_STATUS": "503"})
    endpoint = stepped.endpoint(config(stepped, variant(sick, ContainerStartupHealthCheckTimeoutInSeconds=900)))
    wait_for(lambda: "ready" in stepped.log(f"/aws/sagemaker/Endpoints/{endpoint}", "main/"), "the server")
    stepped.post("/_localaws/clock", {"advance_seconds": 890})
    assert stepped.describe(endpoint)["EndpointStatus"] == "Creating"
    stepped.post("/_localaws/clock", {"advance_seconds": 20})
    assert "did not pass the ping health check" in stepped.settled(endpoint)["FailureReason"]


def test_an_ami_version_is_described_and_checked(aws: Aws, plain: str) -> None:
    ami = "al2023-ami-sagemaker-inference-gpu-4-1"
    name = config(aws, variant(plain, InferenceAmiVersion=ami))
    described = aws.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)
    assert described["ProductionVariants"][0]["InferenceAmiVersion"] == ami
    with pytest.raises(ClientError, match="enum value set"):
        config(aws, variant(plain, InferenceAmiVersion="newest"))
