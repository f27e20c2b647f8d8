"""The guardian as a function: its archive in the embedded Lambda, called by a schedule and by slipway's verbs."""

import io
import json
import zipfile
from collections.abc import Iterator

import pulumi
import pytest

from infra.guardian_code import archive, rates, unpriced
from slipway import spending
from slipway.errors import SlipwayError
from slipway.project import Stack
from tests.unit.guardian.stage import HOUR, Stage
from tests.unit.guardian.test_stop_and_start import Stages
from tests.unit.localaws.acting import role
from tests.unit.localaws.aws import REGION, wait_for

EVERYTHING = (
    "sagemaker:*",
    "application-autoscaling:*",
    "cloudwatch:*",
    "iam:*",
    "s3:*",
    "sns:*",
    "logs:*",
    "lambda:*",
)


def zipped(found: pulumi.AssetArchive) -> bytes:
    """The archive's bytes, as a provider makes them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, asset in found.assets.items():
            if isinstance(asset, pulumi.FileAsset):
                made.write(asset.path, name)
            else:
                made.writestr(name, asset.text)
    return buffer.getvalue()


@pytest.fixture
def deployed(stage: Stages) -> Iterator[Stage]:
    """A stack whose guardian is a function, called every hour of the embedded AWS's clock."""
    one = stage()
    aws, prefix = one.aws, one.facts.prefix
    topic = aws.client("sns").create_topic(Name=f"{prefix}-spending")["TopicArn"]
    facts = {"project": "demo", "stack": one.facts.stack, "account": one.facts.account, "bucket": one.facts.bucket}
    facts |= {"topic": topic, "roles": list(one.facts.roles), "time_to_live_hours": 2, "warn_hours": 1}
    arn = role(aws, *EVERYTHING)
    function = aws.client("lambda").create_function(
        FunctionName=f"{prefix}-guard-abc1234",
        Runtime="python3.13",
        Role=arn,
        Handler="guardian.handler.handle",
        Code={"ZipFile": zipped(archive(REGION))},
        Timeout=60,
        Environment={"Variables": {"GUARDIAN": json.dumps(facts)}},
    )["FunctionArn"]
    event = {"action": "check", "time": "<aws.scheduler.scheduled-time>"}
    scheduler = aws.client("scheduler")
    scheduler.create_schedule(
        Name=f"{prefix}-check",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": function, "RoleArn": arn, "Input": json.dumps(event)},
    )
    yield one
    scheduler.delete_schedule(Name=f"{prefix}-check")


@pytest.fixture
def stack(deployed: Stage, monkeypatch: pytest.MonkeyPatch) -> Stack:
    environment = {"AWS_ENDPOINT_URL": deployed.aws.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    monkeypatch.setattr(Stack, "local", True)  # the clock is the embedded AWS's
    return Stack(root=None, project="demo", name=deployed.facts.stack, region=REGION, environment=environment)  # type: ignore[arg-type]


def test_a_deployed_guardian_is_called_by_the_clock_and_by_the_verbs(deployed: Stage, stack: Stack) -> None:
    name = deployed.up()
    said: list[str] = []
    assert spending.stop(stack, said.append)["did"] == [f"deleted endpoint {name}"]
    deployed.gone()
    assert f"made endpoint {name}" in spending.start(stack, said.append)["did"][0]
    assert deployed.aws.invoke(name)["name"] == name
    assert spending.call(stack, "status")["phase"] == "running"

    before = spending.extend(stack, 4)["ends"]
    assert spending.extend(stack, 4)["ends"] > before
    deployed.advance(12 * HOUR)
    wait_for(lambda: deployed.status() == "gone", "the schedule's check")
    assert spending.call(stack, "status")["reason"] == "expired"
    with pytest.raises(SlipwayError, match="its time was over"):
        spending.start(stack, said.append)


def test_a_stack_without_a_guardian_is_told_how_to_get_one(deployed: Stage, stack: Stack) -> None:
    other = Stack(root=None, project="demo", name="none", region=REGION, environment=stack.environment)  # type: ignore[arg-type]
    with pytest.raises(SlipwayError, match=r"has no guardian .* pulumi up --stack none"):
        spending.stop(other, lambda text: None)


@pytest.mark.parametrize(("text", "hours"), [("90m", 1.5), ("4h", 4), ("2d", 48), ("1.5h", 1.5)])
def test_a_duration_is_minutes_hours_or_days(text: str, hours: float) -> None:
    assert spending.hours_of(text) == hours


@pytest.mark.parametrize("text", ["", "4", "h", "-4h", "0h", "4 weeks", "9999d", "4h30m"])
def test_nonsense_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(SlipwayError, match="allowed: minutes, hours or days"):
        spending.hours_of(text)


def test_the_archive_holds_the_code_the_region_s_prices_and_nothing_else() -> None:
    names = set(archive(REGION).assets)
    assert {"guardian/handler.py", "guardian/rates.json"} <= names
    assert all(name.startswith("guardian/") and name.endswith((".py", ".json")) for name in names)
    assert float(rates(REGION)["Hosting:ml.m5.large"]) > 0
    assert list(unpriced(REGION, ["Hosting:ml.m5.large"])) == []
    (warning,) = unpriced(REGION, ["Training:ml.x9.huge"])
    assert "ml.x9.huge" in warning and "slipway prices refresh" in warning
