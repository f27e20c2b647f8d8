"""What the embedded account has used: endpoints, jobs, pools, stored things, by the clock and to the second."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.money import bill, ledger
from tests.unit.localaws import hosting
from tests.unit.localaws.aws import ECHO_SERVER, Aws, unique, wait_for
from tests.unit.localaws.money import DAY, HOUR, MONTH, lines, quantity, step, usd

TRAIN_TOUCH = '#!/bin/sh\nwhile [ ! -e "$STOP_FILE" ]; do sleep 0.02; done\n'


@pytest.fixture(scope="module")
def aws(billed: Aws) -> Aws:
    return billed


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"serve": ECHO_SERVER, "train": TRAIN_TOUCH})


def scale(aws: Aws, endpoint: str, count: int) -> None:
    desired = [{"VariantName": "main", "DesiredInstanceCount": count}]
    aws.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=desired
    )
    assert aws.settled(endpoint)["EndpointStatus"] == "InService"


def gone(aws: Aws, endpoint: str) -> None:
    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint)
    ours = {"NameContains": endpoint}
    wait_for(lambda: not aws.client("sagemaker").list_endpoints(**ours)["Endpoints"], f"the end of {endpoint}")


def test_a_month_of_an_endpoint_that_was_scaled_is_billed_by_the_hour_and_instance(aws: Aws, image: str) -> None:
    endpoint = hosting.serving(aws, aws.config(image))
    step(aws, 100 * HOUR)
    scale(aws, endpoint, 3)
    step(aws, 30 * HOUR)
    scale(aws, endpoint, 1)
    step(aws, 600 * HOUR)
    assert quantity(aws, endpoint, "Hosting:ml.m5.large") == 100 + 3 * 30 + 600
    assert quantity(aws, endpoint, "Volume:Hosting") == round(Decimal(790 * 30) / 730, 12)
    assert usd(lines(aws, endpoint, key="Hosting:ml.m5.large")) == Decimal("0.115") * 790
    gone(aws, endpoint)
    step(aws, 1000 * HOUR)
    assert quantity(aws, endpoint, "Hosting:ml.m5.large") == 790  # its past stays, and nothing is added


def test_shadows_pay_and_types_with_a_disk_of_their_own_have_no_volume(aws: Aws, image: str) -> None:
    model = hosting.model(aws, image)
    shadow = hosting.variant(model, "shadow", InstanceType="ml.g4dn.xlarge", InitialVariantWeight=1.0)
    main = hosting.variant(model, VolumeSizeInGB=73)
    endpoint = hosting.serving(aws, hosting.config(aws, main, ShadowProductionVariants=[shadow]))
    tag = {"Key": "team", "Value": "red"}
    where = aws.describe(endpoint)["EndpointArn"]
    aws.client("sagemaker").add_tags(ResourceArn=where, Tags=[tag])
    step(aws, MONTH)
    gone(aws, endpoint)
    step(aws, DAY)
    found = {(line["key"], line["variant"]): line["quantity"] for line in lines(aws, endpoint) if line["variant"]}
    assert found == {
        ("Hosting:ml.m5.large", "main"): "730",
        ("Volume:Hosting", "main"): "73",
        ("Hosting:ml.g4dn.xlarge", "shadow"): "730",
    }
    assert {json.dumps(line["tags"]) for line in lines(aws, ":endpoint/" + endpoint)} == {'{"team": "red"}'}


def test_an_asynchronous_endpoint_pays_for_instances_and_nothing_at_zero(aws: Aws, image: str) -> None:
    output = {"OutputConfig": {"S3OutputPath": f"s3://{aws.bucket}/async"}}
    config = hosting.config(aws, hosting.variant(hosting.model(aws, image)), AsyncInferenceConfig=output)
    endpoint = hosting.serving(aws, config)
    step(aws, 2 * HOUR)
    scale(aws, endpoint, 0)
    step(aws, 50 * HOUR)
    [line] = lines(aws, endpoint, key="Hosting:ml.m5.large")
    assert (line["quantity"], line["usage_type"]) == ("2", "USE1-AsyncInf:ml.m5.large")
    gone(aws, endpoint)


def test_serverless_pays_for_its_milliseconds_and_for_what_is_provisioned(aws: Aws, image: str) -> None:
    config = hosting.config(aws, hosting.serverless(hosting.model(aws, image), ProvisionedConcurrency=2))
    endpoint = hosting.serving(aws, config)
    for _ in range(3):
        aws.invoke(endpoint)
    step(aws, HOUR)
    assert quantity(aws, endpoint, "ServerlessProvisioned:2048") == 2 * HOUR
    seconds = quantity(aws, endpoint, "ServerlessProvisionedInference:2048")
    assert 0.003 <= seconds < 3
    assert seconds == round(seconds, 3)  # begun milliseconds
    assert not lines(aws, endpoint, key="Serverless:2048")
    assert not lines(aws, endpoint, key="Volume:Hosting")
    scaling = aws.client("application-autoscaling")
    dimension = "sagemaker:variant:DesiredProvisionedConcurrency"
    variant = aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]["VariantName"]
    target = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": dimension,
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
    }
    scaling.register_scalable_target(**target, MinCapacity=3, MaxCapacity=4)  # clamps, as for instances
    in_service = aws.client("sagemaker").get_waiter("endpoint_in_service")
    in_service.wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    step(aws, HOUR)
    assert quantity(aws, endpoint, "ServerlessProvisioned:2048") == 5 * HOUR
    gone(aws, endpoint)
    step(aws, HOUR)
    assert quantity(aws, endpoint, "ServerlessProvisioned:2048") == 5 * HOUR
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ScalableDimension=dimension)
    assert found["ScalableTargets"] == []


def test_payloads_count_in_both_directions(aws: Aws, image: str) -> None:
    endpoint = hosting.serving(aws, aws.config(image))
    body = "x" * 1024
    runtime = aws.client("sagemaker-runtime")
    answers = [runtime.invoke_endpoint(EndpointName=endpoint, Body=body)["Body"].read() for _ in range(2)]
    assert quantity(aws, endpoint, "Data:In") == round(Decimal(2048) / 2**30, 12)
    assert quantity(aws, endpoint, "Data:Out") == round(Decimal(sum(map(len, answers))) / 2**30, 12)
    gone(aws, endpoint)


def running_job(aws: Aws, image: str, stop: Path, **extra: Any) -> str:
    name = aws.train(image, Environment={"STOP_FILE": str(stop)}, **extra)
    wait_for(lambda: aws.job(name)["SecondaryStatus"] == "Training", f"the start of {name}")
    return name


def test_a_training_job_pays_for_each_instance_and_already_while_it_runs(aws: Aws, image: str, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    limit = {"MaxRuntimeInSeconds": 10 * HOUR}
    resources = {"InstanceCount": 2, "VolumeSizeInGB": 73}
    name = running_job(aws, image, stop, resources=resources, StoppingCondition=limit)
    step(aws, HOUR)
    assert quantity(aws, name, "Training:ml.m5.large") == 2
    step(aws, HOUR)
    stop.touch()
    assert aws.job_done(name)["BillableTimeInSeconds"] == 2 * HOUR
    step(aws, DAY)
    assert quantity(aws, name, "Training:ml.m5.large") == 4
    assert quantity(aws, name, "Volume:Training") == round(Decimal(73 * 4) / 730, 12)
    assert usd(lines(aws, name, key="Training:ml.m5.large")) == Decimal("0.46")


def test_a_spot_job_pays_for_its_billable_seconds_through_an_interruption(aws: Aws, image: str, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    limits = {"MaxRuntimeInSeconds": 10 * HOUR, "MaxWaitTimeInSeconds": 20 * HOUR}
    name = running_job(aws, image, stop, EnableManagedSpotTraining=True, StoppingCondition=limits)
    step(aws, 1000)
    aws.post("/_localaws/interrupt", {"job": name, "notice": "none", "capacity_after_seconds": 500})
    wait_for(lambda: aws.job(name)["SecondaryStatus"] == "Interrupted", "the interruption")
    step(aws, 500)
    wait_for(lambda: aws.job(name)["SecondaryStatus"] == "Training", "another attempt")
    step(aws, 1000)
    stop.touch()
    job = aws.job_done(name)
    assert (job["TrainingTimeInSeconds"], job["BillableTimeInSeconds"]) == (2000, 600)
    [line] = lines(aws, name, key="Training:ml.m5.large")
    assert Decimal(line["quantity"]) == round(Decimal(600) / 3600, 12)
    assert line["usage_type"] == "USE1-TrSpt:ml.m5.large"


def test_a_warm_pool_pays_until_it_is_over(aws: Aws, image: str, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    resources = {"KeepAlivePeriodInSeconds": 1800, "InstanceCount": 2}
    name = aws.train(image, Environment={"STOP_FILE": str(tmp_path / "stop")}, resources=resources)
    aws.job_done(name)
    step(aws, 900)
    assert quantity(aws, name, "Training:ml.m5.large", kind="warm pool") == Decimal("0.5")
    step(aws, 9000)
    assert quantity(aws, name, "Training:ml.m5.large", kind="warm pool") == 1
    retained = aws.job(name)["WarmPoolStatus"]["ResourceRetainedBillableTimeInSeconds"]
    assert retained * 2 == 1 * HOUR


def test_what_is_stored_pays_for_the_time_it_is_there(aws: Aws) -> None:
    s3, bucket = aws.client("s3"), unique("store")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "blue"}]})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="a", Body=b"x" * 2**20)
    key = aws.client("kms").create_key()["KeyMetadata"]
    step(aws, MONTH)
    aws.client("kms").schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    step(aws, MONTH)
    assert quantity(aws, bucket, "S3:Storage") == round(Decimal(2 * 2 * 2**20) / 2**30, 12)  # both versions, 2 months
    assert quantity(aws, key["Arn"], "KMS:Key") == 1
    assert {line["tags"]["team"] for line in lines(aws, bucket)} == {"blue"}
    assert quantity(aws, bucket, "S3:Put") == 5


def test_an_alarm_counts_its_metrics_and_logs_their_bytes(aws: Aws) -> None:
    name, group = unique("alarm"), unique("group")
    stat = {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 60, "Stat": "Sum"}
    queries: list[dict[str, Any]] = [{"Id": f"m{n}", "MetricStat": stat, "ReturnData": False} for n in range(3)]
    queries.append({"Id": "e", "Expression": "m0+m1+m2", "ReturnData": True})
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Metrics=queries,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    logs = aws.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(step(aws) * 1000)
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[{"timestamp": now, "message": "x" * 74}])
    step(aws, MONTH)
    assert quantity(aws, name, "CloudWatch:Alarm") == 3
    assert quantity(aws, group, "Logs:Ingest") == round(Decimal(100) / 2**30, 12)
    aws.client("cloudwatch").delete_alarms(AlarmNames=[name])


def test_begun_minutes_of_a_build_count_whole(aws: Aws) -> None:
    name = unique("project")
    spec = "version: 0.2\nphases: {build: {commands: ['true']}}\n"
    build = aws.client("codebuild")
    build.create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": spec},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=aws.role,
        tags=[{"key": "team", "value": "red"}],
    )
    started = build.start_build(projectName=name)["build"]["id"]
    wait_for(lambda: build.batch_get_builds(ids=[started])["builds"][0]["buildComplete"], "the build")
    [line] = lines(aws, f":project/{name}")
    assert (line["key"], line["quantity"], line["usd"]) == ("CodeBuild:general1.small", "1", "0.005")
    assert line["tags"] == {"team": "red"}


def test_what_the_book_lacks_is_counted_without_a_price(aws: Aws) -> None:
    arn = aws.client("secretsmanager").create_secret(Name=unique("secret"), SecretString="x")["ARN"]
    step(aws, MONTH)
    assert [(line["quantity"], line["usd"]) for line in lines(aws, arn)] == [("1", None)]


def test_a_reset_clears_the_meter(tmp_path: Path) -> None:
    cloud = Cloud(state=tmp_path)
    try:
        # moto is this process's own, so what other tests have left in it is on the meter too
        ledger.count(cloud, "us-east-1", "Lambda:Request", "arn", 2)
        [line] = [line for line in bill.meter(cloud)["lines"] if line["resource"] == "arn"]
        assert (line["quantity"], line["unit"], line["usd"]) == ("2", "request", None)
        cloud.reset()
        assert "arn" not in {line["resource"] for line in bill.meter(cloud)["lines"]}
    finally:
        cloud.close()
