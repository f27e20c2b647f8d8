"""Serverless, asynchronous and shadow variants, data capture, and the options that are only described."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, alive, running, unique, wait_for
from tests.unit.localaws.hosting import (
    NAME_SERVER,
    calling,
    config,
    model,
    named,
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


def keys(aws: Aws, prefix: str) -> list[str]:
    found = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


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
    errors: list[str] = []

    def call() -> None:
        try:
            aws.invoke(endpoint, "slow")
        except ClientError as error:
            errors.append(error.response["Error"]["Code"])

    aws.client("sagemaker-runtime")
    workers = [threading.Thread(target=call) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == ["ThrottlingException"] * 2


def test_a_serverless_update_loses_no_call(aws: Aws, image: str) -> None:
    old, new = (config(aws, serverless(model(aws, image, {"NAME": name}), 4)) for name in ("old", "new"))
    endpoint = serving(aws, old)
    with calling(aws, endpoint, threads=2) as calls:
        wait_for(lambda: calls.answers, "a call")
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
        assert aws.settled(endpoint)["EndpointConfigName"] == new
        wait_for(lambda: calls.answers[-1] == "new", "a call after the update")
    assert calls.errors == []


def test_idle_serverless_processes_end(stepped: Aws) -> None:
    endpoint = serving(stepped, config(stepped, serverless(model(stepped, stepped.image({"serve": NAME_SERVER})), 2)))
    first = stepped.invoke(endpoint)["pid"]
    stepped.post("/_localaws/clock", {"advance_seconds": 3600})
    stepped.client("cloudwatch").describe_alarms()
    wait_for(lambda: not alive(first), "the end of the idle process")
    assert stepped.invoke(endpoint)["pid"] != first


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


# Asynchronous


def asynchronous(aws: Aws, plain: str, each: int = 2, **output: Any) -> str:
    """An endpoint that answers below s3://<bucket>/<endpoint's config>/."""
    prefix = f"s3://{aws.bucket}/{unique('async')}"
    paths = {"S3OutputPath": f"{prefix}/out", "S3FailurePath": f"{prefix}/failed", **output}
    given = {"OutputConfig": paths, "ClientConfig": {"MaxConcurrentInvocationsPerInstance": each}}
    return serving(aws, config(aws, variant(plain), AsyncInferenceConfig=given))


def topic(aws: Aws) -> tuple[str, str]:
    """(topic, URL of a queue that gets its messages)"""
    sqs, sns = aws.client("sqs"), aws.client("sns")
    queue = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    found = str(sns.create_topic(Name=unique("t"))["TopicArn"])
    sns.subscribe(TopicArn=found, Protocol="sqs", Endpoint=attributes["QueueArn"])
    return found, queue


def message(aws: Aws, queue: str) -> dict[str, Any]:
    sqs = aws.client("sqs")
    [found] = wait_for(lambda: sqs.receive_message(QueueUrl=queue).get("Messages", []), "a message")
    told: dict[str, Any] = json.loads(json.loads(found["Body"])["Message"])
    return told


def exists(aws: Aws, uri: str) -> bool:
    return bool(keys(aws, uri.split("/", 3)[3]))


def call_async(aws: Aws, endpoint: str, location: str = "", **extra: Any) -> dict[str, Any]:
    given = {"InputLocation": location} if location else {}
    found: dict[str, Any] = aws.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=endpoint, **given, **extra
    )
    return found


def test_an_asynchronous_request_and_its_answer(aws: Aws, plain: str) -> None:
    success, queue = topic(aws)
    endpoint = asynchronous(aws, plain, NotificationConfig={"SuccessTopic": success})
    assert (
        aws.describe(endpoint)["AsyncInferenceConfig"]["OutputConfig"]["NotificationConfig"]["SuccessTopic"] == success
    )
    accepted = call_async(aws, endpoint, aws.put(unique("input"), "hello"), ContentType="text/plain", InferenceId="me")
    assert (accepted["ResponseMetadata"]["HTTPStatusCode"], accepted["InferenceId"]) == (202, "me")
    assert accepted["OutputLocation"].endswith(".out")
    assert accepted["FailureLocation"].endswith("-error.out")
    told = message(aws, queue)
    assert (told["invocationStatus"], told["inferenceId"]) == ("Completed", "me")
    assert told["responseParameters"]["outputLocation"] == accepted["OutputLocation"]
    assert json.loads(aws.read(accepted["OutputLocation"]))["name"] == "plain"


@pytest.mark.parametrize(("body", "text"), [("400", "Received client error"), (None, "does not exist")])
def test_an_asynchronous_failure(aws: Aws, plain: str, body: str | None, text: str) -> None:
    errors, queue = topic(aws)
    endpoint = asynchronous(aws, plain, NotificationConfig={"ErrorTopic": errors})
    location = aws.put(unique("input"), body) if body else f"s3://{aws.bucket}/nothing"
    accepted = call_async(aws, endpoint, location)
    told = message(aws, queue)
    assert told["invocationStatus"] == "Failed"
    assert text in told["failureReason"]
    assert text in aws.read(accepted["FailureLocation"]).decode()
    assert not exists(aws, accepted["OutputLocation"])


def test_no_more_run_at_a_time_than_an_instance_takes(aws: Aws, plain: str) -> None:
    endpoint = asynchronous(aws, plain, each=1)
    inputs = [aws.put(unique("input"), "slow") for _ in range(2)]
    outputs = [call_async(aws, endpoint, location)["OutputLocation"] for location in inputs]
    wait_for(lambda: any(exists(aws, uri) for uri in outputs), "the first answer")
    assert not all(exists(aws, uri) for uri in outputs)
    wait_for(lambda: all(exists(aws, uri) for uri in outputs), "the second answer")


def test_each_mode_refuses_the_others_calls(aws: Aws, plain: str) -> None:
    endpoint = asynchronous(aws, plain)
    with pytest.raises(ClientError, match=r"ValidationError.*takes asynchronous requests only"):
        aws.invoke(endpoint)
    for wrong in ({}, {"location": "s3://b/k", "Body": b"x"}):
        with pytest.raises(ClientError, match="ValidationError"):
            call_async(aws, endpoint, **wrong)
    real_time = serving(aws, config(aws, variant(plain)))
    with pytest.raises(ClientError, match=r"ValidationError.*is not an asynchronous endpoint"):
        call_async(aws, real_time, "s3://b/k")


def test_an_asynchronous_endpoint_waits_without_instances(aws: Aws, plain: str) -> None:
    endpoint = asynchronous(aws, plain)

    def scale(count: int) -> None:
        aws.client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": count}]
        )
        aws.settled(endpoint)

    scale(0)
    output = call_async(aws, endpoint, aws.put(unique("input"), "x"))["OutputLocation"]
    assert not exists(aws, output)
    scale(1)
    wait_for(lambda: exists(aws, output), "the answer")
    with pytest.raises(ClientError, match="DesiredInstanceCount must be at least 1 for a real-time endpoint"):
        aws.client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=serving(aws, config(aws, variant(plain))),
            DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 0}],
        )


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


def test_a_mode_can_change_to_asynchronous_config_only_by_its_own_call(aws: Aws, image: str, plain: str) -> None:
    """An update carries its configuration's mode: what was real-time takes asynchronous calls afterwards."""
    endpoint = serving(aws, named(aws, image, "now"))
    output = {"OutputConfig": {"S3OutputPath": f"s3://{aws.bucket}/{unique('later')}"}}
    later = config(aws, variant(plain), AsyncInferenceConfig=output)
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=later)
    aws.settled(endpoint)
    accepted = call_async(aws, endpoint, aws.put(unique("input"), "x"))
    wait_for(lambda: exists(aws, accepted["OutputLocation"]), "the answer")
