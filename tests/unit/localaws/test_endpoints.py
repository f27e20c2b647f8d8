"""Endpoints: health, routing, swaps without a lost call, replacement, scaling, errors, by a tiny HTTP server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ECHO_SERVER, Aws, alive, unique, wait_for


@pytest.fixture(scope="module")
def server(aws: Aws) -> str:
    return aws.image({"serve": ECHO_SERVER})


@pytest.fixture(scope="module")
def shared(aws: Aws, server: str) -> str:
    """An endpoint for the tests that do not change it."""
    name = aws.endpoint(aws.config(server, files={"weights/w.bin": b"1"}))
    assert aws.settled(name)["EndpointStatus"] == "InService"
    return name


@contextmanager
def calling(aws: Aws, endpoint: str, threads: int = 4) -> Iterator[tuple[set[str], list[str]]]:
    """Calls the endpoint without a pause; yields (names that answered, errors)."""
    names: set[str] = set()
    errors: list[str] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            try:
                names.add(aws.invoke(endpoint)["name"])
            except ClientError as error:
                errors.append(str(error))

    aws.client("sagemaker-runtime")
    workers = [threading.Thread(target=call) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield names, errors
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def test_an_invocation_and_its_headers(aws: Aws, shared: str) -> None:
    answer = aws.invoke(shared, "one", CustomAttributes="trace=7", Accept="application/json")
    assert (answer["body"], answer["type"], answer["model"]) == ("one", "text/plain", ["weights"])
    assert answer["InvokedProductionVariant"] == "main"
    assert answer["CustomAttributes"] == "trace=7"
    assert answer["ContentType"] == "application/json"
    described = aws.describe(shared)["ProductionVariants"][0]
    assert (described["CurrentInstanceCount"], described["DesiredInstanceCount"]) == (1, 1)
    assert aws.log(f"/aws/sagemaker/Endpoints/{shared}", "main/") == ["serving"]


@pytest.mark.parametrize(("status", "kind"), [("400", "client"), ("500", "server")])
def test_a_models_error_is_a_424(aws: Aws, shared: str, status: str, kind: str) -> None:
    with pytest.raises(ClientError) as caught:
        aws.invoke(shared, status)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["Error"]["Code"] == "ModelError"
    assert f'Received {kind} error ({status}) from primary with message "no good"' in answer["Error"]["Message"]
    assert (answer["OriginalStatusCode"], answer["OriginalMessage"]) == (int(status), "no good")
    assert answer["LogStreamArn"].endswith(f":log-group:/aws/sagemaker/Endpoints/{shared}")


def test_wrong_calls(aws: Aws, shared: str) -> None:
    with pytest.raises(ClientError, match=r"ValidationError.*Endpoint nobody of account 123456789012 not found."):
        aws.invoke("nobody")
    with pytest.raises(ClientError) as caught:
        aws.invoke(shared, "x" * (25 * 1024 * 1024 + 1))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert aws.invoke(shared)["body"] == "hello"
    with pytest.raises(ClientError, match=r"is not an asynchronous endpoint; use InvokeEndpoint"):
        aws.client("sagemaker-runtime").invoke_endpoint_async(EndpointName=shared, InputLocation="s3://b/k")


def test_texts_that_clients_match_on(aws: Aws, shared: str) -> None:
    sagemaker = aws.client("sagemaker")
    with pytest.raises(ClientError, match=r'ValidationException.*Could not find endpoint "arn:aws:sagemaker'):
        aws.describe("nobody")
    with pytest.raises(ClientError, match='Could not find endpoint configuration "arn'):
        aws.endpoint("nothing")
    with pytest.raises(ClientError, match='Could not find model "arn'):
        sagemaker.describe_model(ModelName="nothing")
    config = aws.describe(shared)["EndpointConfigName"]
    with pytest.raises(ClientError, match='Cannot create already existing endpoint "arn'):
        sagemaker.create_endpoint(EndpointName=shared, EndpointConfigName=config)
    model = sagemaker.describe_model(ModelName=config)
    with pytest.raises(ClientError, match='Cannot create already existing model "arn'):
        sagemaker.create_model(
            ModelName=config, PrimaryContainer=model["PrimaryContainer"], ExecutionRoleArn=model["ExecutionRoleArn"]
        )
    with pytest.raises(ClientError, match=rf"Could not find model data at s3://{aws.bucket}/none.tar.gz"):
        sagemaker.create_model(
            ModelName=unique("model"),
            PrimaryContainer={**model["PrimaryContainer"], "ModelDataUrl": f"s3://{aws.bucket}/none.tar.gz"},
            ExecutionRoleArn=model["ExecutionRoleArn"],
        )


def test_an_update_loses_no_call(aws: Aws, server: str) -> None:
    name = aws.endpoint(aws.config(server, NAME="old"))
    aws.settled(name)
    old_pid, new = aws.invoke(name)["pid"], aws.config(server, NAME="new")
    with calling(aws, name) as (names, errors):
        wait_for(lambda: "old" in names, "a call")
        aws.client("sagemaker").update_endpoint(EndpointName=name, EndpointConfigName=new)
        with pytest.raises(ClientError, match='Cannot update in-progress endpoint "arn'):
            aws.client("sagemaker").delete_endpoint(EndpointName=name)
        assert aws.settled(name)["EndpointConfigName"] == new
        names.clear()
        wait_for(lambda: names, "a call after the update")
    assert errors == []
    assert aws.invoke(name)["name"] == "new"
    assert not alive(old_pid)
    aws.client("sagemaker").delete_endpoint(EndpointName=name)
    wait_for(lambda: name not in [it["EndpointName"] for it in _endpoints(aws)], "the deletion")


def _endpoints(aws: Aws) -> list[dict[str, str]]:
    found: list[dict[str, str]] = aws.client("sagemaker").list_endpoints(MaxResults=100)["Endpoints"]
    return found


def test_a_failed_update_keeps_the_old_fleet(aws: Aws, server: str) -> None:
    old = aws.config(server, NAME="old")
    name = aws.endpoint(old)
    aws.settled(name)
    broken = aws.config(aws.image({"serve": "#!/bin/sh\necho cannot load; exit 3\n"}))
    with calling(aws, name, threads=1) as (_, errors):
        aws.client("sagemaker").update_endpoint(EndpointName=name, EndpointConfigName=broken)
        found = aws.settled(name)
    assert errors == []
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", old)
    assert "variant main did not pass the ping health check" in found["FailureReason"]
    assert "cannot load" in aws.log(f"/aws/sagemaker/Endpoints/{name}", "main/")


def test_a_bad_start_fails_the_endpoint(aws: Aws, server: str) -> None:
    name = aws.endpoint(aws.config(server, files={"../evil": b"x"}))
    found = aws.settled(name)
    assert found["EndpointStatus"] == "Failed"
    assert "Failed to extract model data archive" in found["FailureReason"]
    assert "../evil" in found["FailureReason"]


def test_a_dead_server_is_replaced(aws: Aws, server: str) -> None:
    name = aws.endpoint(aws.config(server))
    aws.settled(name)
    first = aws.invoke(name)["pid"]
    with pytest.raises(ClientError, match=r"ModelError"):
        aws.invoke(name, "die")

    def pid() -> int:
        try:
            return int(aws.invoke(name)["pid"])
        except aws.client("sagemaker-runtime").exceptions.ServiceUnavailable:  # its only instance is down
            return first

    assert wait_for(lambda: (now := pid()) != first and now, "the replacement")
    assert aws.describe(name)["ProductionVariants"][0]["CurrentInstanceCount"] == 1


def test_instances_come_and_go(aws: Aws, server: str) -> None:
    name = aws.endpoint(aws.config(server))
    aws.settled(name)
    with calling(aws, name, threads=2) as (_, errors):
        for count in (3, 1):
            aws.client("sagemaker").update_endpoint_weights_and_capacities(
                EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": count}]
            )
            variant = aws.settled(name)["ProductionVariants"][0]
            assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (count, count)
    assert errors == []


def test_scalable_targets(aws: Aws, server: str) -> None:
    name = aws.endpoint(aws.config(server))
    scaling = aws.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/main",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    with pytest.raises(ClientError, match=r"ValidationException"):
        scaling.register_scalable_target(
            **{**target, "ResourceId": "endpoint/none/variant/main"}, MinCapacity=1, MaxCapacity=2
        )
    with pytest.raises(ClientError, match=r"ObjectNotFoundException"):
        scaling.deregister_scalable_target(**target)
    with pytest.raises(ClientError, match=r"ObjectNotFoundException"):
        scaling.delete_scaling_policy(**target, PolicyName="none")
    aws.settled(name)
    arn = scaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=3, Tags={"a": "b"})["ScalableTargetARN"]
    assert aws.settled(name)["ProductionVariants"][0]["DesiredInstanceCount"] == 2
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"a": "b"}
    policy = {
        "TargetValue": 100.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    scaling.put_scaling_policy(
        **target, PolicyName="p", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=policy
    )
    aws.client("sagemaker").delete_endpoint(EndpointName=name)
    left = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]])
    assert left["ScalableTargets"] == []
    assert (
        scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=target["ResourceId"])[
            "ScalingPolicies"
        ]
        == []
    )


def test_invocations_are_metered(aws: Aws, server: str) -> None:
    name = aws.endpoint(aws.config(server))
    created = aws.settled(name)["CreationTime"]
    for body in ("one", "two"):
        aws.invoke(name, body)
    with pytest.raises(ClientError, match=r"ModelError"):
        aws.invoke(name, "400")
    for metric, expected in (("Invocations", 3), ("Invocation4XXErrors", 1), ("Invocation5XXErrors", 0)):
        points = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "main"}],
            StartTime=created.replace(second=0, microsecond=0),
            EndTime=created.replace(year=created.year + 1),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        assert sum(point["Sum"] for point in points) == expected, metric


def test_resources_are_found_by_tag(aws: Aws, shared: str) -> None:
    where = aws.describe(shared)["EndpointArn"]
    aws.client("sagemaker").add_tags(ResourceArn=where, Tags=[{"Key": "stack", "Value": shared}])
    repository = unique("tagged")
    aws.client("ecr").create_repository(repositoryName=repository, tags=[{"Key": "stack", "Value": shared}])
    found = aws.client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "stack", "Values": [shared]}])
    arns = [item["ResourceARN"] for item in found["ResourceTagMappingList"]]
    assert arns == [f"arn:aws:ecr:us-east-1:123456789012:repository/{repository}", where]
