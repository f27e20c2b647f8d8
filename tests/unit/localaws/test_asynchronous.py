"""Asynchronous endpoints: a queue, answers and failures in S3, notices, limits of time and of concurrency."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, unique, wait_for
from tests.unit.localaws.hosting import NAME_SERVER, config, keys, model, named, serving, variant


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"serve": NAME_SERVER})


@pytest.fixture(scope="module")
def plain(aws: Aws, image: str) -> str:
    return model(aws, image, {"NAME": "plain"})


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
    scale(aws, endpoint, 0)
    output = call_async(aws, endpoint, aws.put(unique("input"), "x"))["OutputLocation"]
    assert not exists(aws, output)
    scale(aws, endpoint, 1)
    wait_for(lambda: exists(aws, output), "the answer")
    with pytest.raises(ClientError, match="DesiredInstanceCount must be at least 1 for a real-time endpoint"):
        aws.client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=serving(aws, config(aws, variant(plain))),
            DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 0}],
        )


def scale(aws: Aws, endpoint: str, count: int) -> None:
    aws.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": count}]
    )
    aws.settled(endpoint)


def test_a_request_that_waits_for_too_long_fails_even_without_an_instance(stepped: Aws) -> None:
    errors, queue = topic(stepped)
    own = model(stepped, stepped.image({"serve": NAME_SERVER}))
    endpoint = asynchronous(stepped, own, NotificationConfig={"ErrorTopic": errors})
    scale(stepped, endpoint, 0)
    location = stepped.put(unique("input"), "x")
    late, kept = (call_async(stepped, endpoint, location, RequestTTLSeconds=ttl) for ttl in (60, 600))
    stepped.post("/_localaws/clock", {"advance_seconds": 120})
    stepped.client("cloudwatch").describe_alarms()  # whoever looks brings the minutes up to the clock
    told = message(stepped, queue)
    assert (told["invocationStatus"], told["inferenceId"]) == ("Failed", late["InferenceId"])
    assert "waited in the queue for longer than its RequestTTLSeconds" in told["failureReason"]
    assert "RequestTTLSeconds" in stepped.read(late["FailureLocation"]).decode()
    scale(stepped, endpoint, 1)
    wait_for(lambda: exists(stepped, kept["OutputLocation"]), "the answer to the request that may wait for longer")
    assert not exists(stepped, late["OutputLocation"])
    stepped.client("sagemaker").delete_endpoint(EndpointName=endpoint)


def test_an_asynchronous_request_outlives_a_server_that_ends(aws: Aws, plain: str) -> None:
    """While another server takes its place the queue waits, and then it goes on by itself."""
    endpoint = asynchronous(aws, plain, each=1)
    deadly, good = (aws.put(unique("input"), body) for body in ("die", "x"))
    first = call_async(aws, endpoint, deadly)
    rest = [call_async(aws, endpoint, good)["OutputLocation"] for _ in range(3)]
    wait_for(lambda: all(exists(aws, uri) for uri in rest), "the answers of the next server")
    assert "closed the connection" in aws.read(first["FailureLocation"]).decode()


def test_an_invocation_of_an_asynchronous_request_has_its_own_limit(aws: Aws, plain: str) -> None:
    endpoint = asynchronous(aws, plain)
    hangs = aws.put(unique("input"), "hang")
    accepted = call_async(aws, endpoint, hangs, InvocationTimeoutSeconds=1)
    wait_for(lambda: exists(aws, accepted["FailureLocation"]), "the failure")
    assert "timed out while waiting for a response" in aws.read(accepted["FailureLocation"]).decode()


def test_a_mode_can_change_to_asynchronous_config_only_by_its_own_call(aws: Aws, image: str, plain: str) -> None:
    """An update carries its configuration's mode: what was real-time takes asynchronous calls afterwards."""
    endpoint = serving(aws, named(aws, image, "now"))
    output = {"OutputConfig": {"S3OutputPath": f"s3://{aws.bucket}/{unique('later')}"}}
    later = config(aws, variant(plain), AsyncInferenceConfig=output)
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=later)
    aws.settled(endpoint)
    accepted = call_async(aws, endpoint, aws.put(unique("input"), "x"))
    wait_for(lambda: exists(aws, accepted["OutputLocation"]), "the answer")
