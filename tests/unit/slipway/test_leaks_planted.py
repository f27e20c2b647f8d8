"""Leaks of every kind, planted beside a neighbour's things: found, priced, removed, and the neighbour's left alone."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from slipway.down import check, remove_left
from slipway.leaks import find_leaks
from slipway.options import out
from slipway.prices.book import load
from slipway.project import Stack
from slipway.teardown.worth import worths
from slipway.view import Steps
from tests.unit.localaws.aws import ACCOUNT, ECHO_SERVER, REGION, Aws, running, unique

OWN, NEIGHBOUR = "dev", "dev-eu"  # the neighbour's names begin with ours
SLEEPER = "#!/bin/sh\nexec sleep 600\n"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Where one thing is planted: what it is called, and whose tags it carries."""

    aws: Aws
    name: str
    stack: str
    tagged: bool
    image: str

    def tags(self, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        pairs = {"slipway:project": "slipway", "slipway:stack": self.stack} if self.tagged else {"else": "1"}
        return [{key: name, value: text} for name, text in pairs.items()]

    @property
    def map(self) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in self.tags()}

    def client(self, service: str) -> Any:
        return self.aws.client(service)


def endpoint(plot: Plot) -> None:
    config = plot.aws.config(plot.image)  # names that are nobody's: what serves is not under test
    plot.client("sagemaker").create_endpoint(EndpointName=plot.name, EndpointConfigName=config, Tags=plot.tags())


def training_job(plot: Plot) -> None:
    plot.aws.train(plot.image, TrainingJobName=plot.name, Tags=plot.tags(), algorithm={"ContainerEntrypoint": ["nap"]})


def model(plot: Plot) -> None:
    container = {"Image": plot.image}
    plot.client("sagemaker").create_model(
        ModelName=plot.name, PrimaryContainer=container, ExecutionRoleArn=plot.aws.role, Tags=plot.tags()
    )


def bucket(plot: Plot) -> None:
    """Two versions of one object, a delete marker, and an upload that nobody finished: 5 MB that no listing shows."""
    s3 = plot.client("s3")
    s3.create_bucket(Bucket=plot.name)
    s3.put_bucket_tagging(Bucket=plot.name, Tagging={"TagSet": plot.tags()})
    s3.put_bucket_versioning(Bucket=plot.name, VersioningConfiguration={"Status": "Enabled"})
    for size in (3, 4):
        s3.put_object(Bucket=plot.name, Key="a", Body=bytes(size * 2**20))
    s3.delete_object(Bucket=plot.name, Key="a")
    upload = s3.create_multipart_upload(Bucket=plot.name, Key="b")["UploadId"]
    s3.upload_part(Bucket=plot.name, Key="b", UploadId=upload, PartNumber=1, Body=bytes(5 * 2**20))


def repository(plot: Plot) -> None:
    plot.client("ecr").create_repository(repositoryName=plot.name, tags=plot.tags())


def log_group(plot: Plot) -> None:
    plot.client("logs").create_log_group(logGroupName=f"/aws/lambda/{plot.name}", tags=plot.map)


def alarm(plot: Plot) -> None:
    """Over an expression of two metrics, which bills both."""
    stat = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "a", "MetricStat": stat, "ReturnData": False},
        {"Id": "b", "MetricStat": stat, "ReturnData": False},
        {"Id": "c", "Expression": "a / b", "ReturnData": True},
    ]
    plot.client("cloudwatch").put_metric_alarm(
        AlarmName=plot.name, Metrics=metrics, EvaluationPeriods=1, Threshold=1.0, Tags=plot.tags(),
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip


def dashboard(plot: Plot) -> None:
    board = json.dumps({"widgets": []})
    plot.client("cloudwatch").put_dashboard(DashboardName=plot.name, DashboardBody=board)


def key(plot: Plot) -> None:
    plot.client("kms").create_key(Tags=plot.tags("TagKey", "TagValue"))


def key_alias(plot: Plot) -> None:
    target = plot.client("kms").create_key()["KeyMetadata"]["KeyId"]
    plot.client("kms").create_alias(AliasName=f"alias/{plot.name}", TargetKeyId=target)
    plot.client("kms").schedule_key_deletion(KeyId=target)  # its alias is left


def secret(plot: Plot) -> None:
    plot.client("secretsmanager").create_secret(Name=plot.name, SecretString="s", Tags=plot.tags())


def topic(plot: Plot) -> None:
    plot.client("sns").create_topic(Name=plot.name, Tags=plot.tags())


def rule(plot: Plot) -> None:
    events = plot.client("events")
    events.put_rule(Name=plot.name, ScheduleExpression="rate(1 day)", Tags=plot.tags())
    events.put_targets(Rule=plot.name, Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}])


def schedule(plot: Plot) -> None:
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint", "RoleArn": trusted(plot, "scheduler")}
    plot.client("scheduler").create_schedule(
        Name=plot.name, ScheduleExpression="rate(5 minutes)", FlexibleTimeWindow={"Mode": "OFF"}, State="ENABLED",
        Target=target | {"Input": json.dumps({"EndpointName": "nobody"})},
    )  # fmt: skip


def budget(plot: Plot) -> None:
    limit = {"BudgetName": plot.name, "BudgetLimit": {"Amount": "10", "Unit": "USD"}}
    plot.client("budgets").create_budget(
        AccountId=ACCOUNT, Budget=limit | {"TimeUnit": "MONTHLY", "BudgetType": "COST"}
    )


def role(plot: Plot) -> None:
    iam = plot.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName=plot.name, AssumeRolePolicyDocument=trust, Tags=plot.tags())
    iam.attach_role_policy(RoleName=plot.name, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")


def elastic_ip(plot: Plot) -> None:
    marks = [{"ResourceType": "elastic-ip", "Tags": [*plot.tags(), {"Key": "Name", "Value": plot.name}]}]
    plot.client("ec2").allocate_address(Domain="vpc", TagSpecifications=marks)


def function(plot: Plot) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", "def handle(event, context): return {}")
    plot.client("lambda").create_function(
        FunctionName=plot.name, Runtime="python3.12", Role=trusted(plot, "lambda"), Handler="main.handle",
        Code={"ZipFile": code.getvalue()}, Tags=plot.map,
    )  # fmt: skip


def trusted(plot: Plot, service: str) -> str:
    """A role of nobody's that this service may take on."""
    allowed = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    arn: str = plot.client("iam").create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    return arn


Plant = Callable[[Plot], None]
# Kind -> (how it is planted, the name the program would give it or "" for a foreign one with tags, USD a month).
PLANTS: dict[str, tuple[Plant, str, Callable[[Callable[[str], Decimal]], Decimal]]] = {
    "endpoint": (endpoint, "{}", lambda usd: usd("Hosting:ml.m5.large") * 730 + usd("Volume:Hosting") * 30),
    "training job": (training_job, "", lambda usd: usd("Training:ml.m5.large") * 730),
    "model": (model, "{}-model-0123abc", lambda usd: Decimal(0)),
    "bucket": (bucket, "{}-data-0123abc", lambda usd: usd("S3:Storage") * 12 / 1024),
    "image repository": (repository, "", lambda usd: Decimal(0)),
    "log group": (log_group, "{}-guard-0123abc", lambda usd: Decimal(0)),
    "alarm": (alarm, "{}-alarm-errors-0123abc", lambda usd: usd("CloudWatch:Alarm") * 2),
    "dashboard": (dashboard, "{}", lambda usd: usd("CloudWatch:Dashboard")),
    "encryption key": (key, "", lambda usd: usd("KMS:Key")),
    "key alias": (key_alias, "{}-0123abc", lambda usd: Decimal(0)),
    "secret": (secret, "", lambda usd: usd("SecretsManager:Secret")),
    "topic": (topic, "", lambda usd: Decimal(0)),
    "event rule": (rule, "{}-guard-0123abc", lambda usd: Decimal(0)),
    "schedule": (schedule, "{}-check-0123abc", lambda usd: usd("Scheduler:Invocation") * 730 * 12),
    "budget": (budget, "{}-budget-0123abc", lambda usd: Decimal(0)),
    "role": (role, "{}-train-0123abc", lambda usd: Decimal(0)),
    "elastic ip": (elastic_ip, "{}", lambda usd: usd("EC2:PublicIPv4") * 730),
    "function": (function, "", lambda usd: Decimal(0)),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with running() as (url, _):
        yield Aws(url)


def stack_of(aws: Aws, name: str) -> Stack:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    return Stack(
        root=Path(), project="slipway", name=name, region=REGION, environment={"AWS_ENDPOINT_URL": aws.url, **keys}
    )


def plant(aws: Aws, stack: str, kinds: list[str], image: str, *, everything_tagged: bool) -> None:
    for kind in kinds:
        sow, name, _ = PLANTS[kind]
        chosen = name.format(f"slipway-{stack}") or f"stray-{kind.replace(' ', '-')}-of-{stack}"
        sow(Plot(aws=aws, name=chosen, stack=stack, tagged=everything_tagged or not name, image=image))


def test_planted_leaks_are_found_priced_and_removed_and_the_neighbours_stay(aws: Aws) -> None:
    image = aws.image({"serve": ECHO_SERVER, "nap": SLEEPER})
    own, neighbour = stack_of(aws, OWN), stack_of(aws, NEIGHBOUR)
    plant(aws, NEIGHBOUR, list(PLANTS), image, everything_tagged=False)
    theirs = find_leaks(neighbour)
    assert {one.kind for one in theirs} == PLANTS.keys()
    assert find_leaks(own) == []

    plant(aws, OWN, list(PLANTS), image, everything_tagged=False)
    aws.settled("slipway-dev")
    found = find_leaks(own)
    assert {one.kind for one in found} == PLANTS.keys()
    assert len(found) == len(PLANTS) + 1 > 15  # the endpoint has made itself a log group
    assert {one.kind for one in found if one.how == "tag"} == {kind for kind, row in PLANTS.items() if not row[1]}
    priced = dict(zip((one.kind for one in found), worths(own, found), strict=True))
    for kind, (_, _, expected) in PLANTS.items():
        usd = priced[kind].usd_month
        assert usd is not None, (kind, priced[kind])
        # A log group holds a few bytes by now.
        assert abs(usd - expected(lambda key: load().price(REGION, key).usd)) < Decimal("1e-8"), (kind, priced[kind])

    with Steps(out) as steps:
        assert remove_left(own, found, steps) == []
        assert check(own, steps) == []
    assert find_leaks(neighbour) == theirs
