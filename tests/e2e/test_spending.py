"""What stops a stack, by the real engine and the embedded AWS's clock: its budget twice over, its time, silence, hours.

Each really ends the endpoint and a job, touches nothing of a neighbouring stack, and comes back as a stack that answers
as before and that Pulumi finds nothing to change of.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from tests.e2e.checkout import ROOT, Checkout
from tests.e2e.updates.cases import QUICK
from tests.unit.localaws.aws import wait_for

HOUR = 3600
PREFIX = "slipway-local"
NEIGHBOUR = f"{PREFIX}-eu"
NO_CHANGES = ("pulumi", "preview", "--expect-no-changes", "--non-interactive")


@pytest.fixture
def stack(running: Checkout) -> Iterator[Checkout]:
    """The stack with a guardian that has a budget, and an endpoint of a neighbouring stack beside it."""
    hours = {"start": "08:00", "stop": "19:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
    running.configure(training=QUICK, monitoring={"p99_latency_ms": 60_000})
    running.configure(spending={"budget_usd": 1000, "time_to_live_hours": 24 * 60, "office_hours": hours})
    into_a_month(running)
    until_hour(running, 12)
    done = running.up()
    assert done.code == 0, done.text
    tags = [{"Key": "slipway:project", "Value": "slipway"}, {"Key": "slipway:stack", "Value": "local-eu"}]
    config = running.outputs()["endpoint_config"]
    running.aws("sagemaker").create_endpoint(EndpointName=NEIGHBOUR, EndpointConfigName=config, Tags=tags)
    wait_for(lambda: status(running, NEIGHBOUR) == "InService", "the neighbour")
    yield running
    running.aws("sagemaker").delete_endpoint(EndpointName=NEIGHBOUR)


def post(checkout: Checkout, path: str, body: Any) -> Any:
    url = checkout.environment["AWS_ENDPOINT_URL"] + path
    with urlopen(Request(url, data=json.dumps(body).encode(), method="POST")) as reply:
        return json.load(reply)


def advance(checkout: Checkout, hours: float) -> None:
    post(checkout, "/_localaws/clock", {"advance_seconds": hours * HOUR})


def now(checkout: Checkout) -> float:
    with urlopen(checkout.environment["AWS_ENDPOINT_URL"] + "/_localaws/clock") as reply:
        return float(json.load(reply)["now"])


def until_hour(checkout: Checkout, hour: float) -> None:
    """To the next time that a clock in UTC shows this hour."""
    advance(checkout, (hour - now(checkout) / HOUR) % 24)


def into_a_month(checkout: Checkout) -> None:
    """To a day of a month with two weeks left: what is spent must not fall into two months."""
    from infra.guardian.spend import start_of_month

    while start_of_month(now(checkout) + 14 * 24 * HOUR) != start_of_month(now(checkout)):
        advance(checkout, 24)


def status(checkout: Checkout, endpoint: str = PREFIX) -> str:
    try:
        found: str = checkout.aws("sagemaker").describe_endpoint(EndpointName=endpoint)["EndpointStatus"]
    except ClientError:
        return "gone"
    return found


def memory(checkout: Checkout) -> dict[str, Any]:
    found = checkout.aws("s3").get_object(Bucket=checkout.outputs()["bucket"], Key="guard/state.json")
    state: dict[str, Any] = json.loads(found["Body"].read())
    return state


def stopped(checkout: Checkout, reason: str) -> dict[str, Any]:
    """The guardian's memory, once it has stopped the stack for this reason."""

    def over() -> dict[str, Any] | bool:
        state = memory(checkout)
        done = state["stopped"] and (state["stopped"]["phase"], state["stopped"]["reason"]) == ("stopped", reason)
        return state if done and status(checkout) == "gone" else False

    found: dict[str, Any] = wait_for(over, f"a stop: {reason}")  # type: ignore[assignment]
    assert status(checkout, NEIGHBOUR) == "InService"
    return found


def resumed(checkout: Checkout, *options: str) -> dict[str, Any]:
    answer = json.loads(checkout.ok("slipway", "resume", *options, "--json"))
    assert answer["phase"] == "running" and "as recorded in the artifact" in answer["proven"]["example"]
    assert status(checkout) == "InService"
    found: dict[str, Any] = answer
    return found


@pytest.mark.rehearsal
def test_whatever_stops_a_stack_it_comes_back_and_answers_the_same(stack: Checkout) -> None:
    until_hour(stack, 20)
    stopped(stack, "office hours")
    stack.ok(*NO_CHANGES)
    warned = stack.up()
    assert warned.code == 0 and "the guardian has stopped it" in warned.text, warned.text
    until_hour(stack, 9)
    wait_for(lambda: status(stack) == "InService", "the morning")
    advance(stack, 0.5)
    wait_for(lambda: memory(stack)["stopped"] is None, "scaling that is registered")

    stack.ok("slipway", "stop")
    refused = stack.run("slipway", "extend", "soon")
    assert refused.code == 2 and "90m, 4h, 2d" in refused.err
    spent = float(resumed(stack)["spent_usd"])
    stack.ok("pulumi", "preview", "--refresh", "--expect-no-changes", "--non-interactive")

    limit = round(spent + 1, 2)  # 1 USD is some 8 hours of the endpoint
    stack.configure(spending={"office_hours": None, "budget_usd": limit})
    assert stack.up().code == 0
    advance(stack, 12)
    breach = stopped(stack, "breach")["breach"]
    assert float(breach["limit_usd"]) == limit and breach["by"] in ("the guardian", "AWS Budgets")
    attached = stack.aws("iam").list_attached_role_policies(RoleName=role(stack, "train"))["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == ["AWSDenyAll"]
    kept = stack.run("slipway", "resume")
    assert kept.code == 3 and "--budget USD" in kept.err, kept.text
    resumed(stack, "--budget", "100")

    stack.configure(spending={"idle_minutes": 60, "budget_usd": 1000})
    assert stack.up().code == 0
    advance(stack, 2)
    stopped(stack, "idle")
    resumed(stack)

    stack.configure(spending={"idle_minutes": 0, "time_to_live_hours": 1})
    assert stack.up().code == 0
    advance(stack, 1)
    stopped(stack, "expired")
    assert stack.run("slipway", "resume").code == 3
    stack.ok("slipway", "extend", "4h")
    resumed(stack)
    stack.ok("pulumi", "preview", "--refresh", "--expect-no-changes", "--non-interactive")
    assert "nothing left of slipway-local" in stack.ok("slipway", "down")


@pytest.mark.rehearsal
def test_aws_s_budget_stops_the_stack_without_the_guardian_s_own_count(stack: Checkout) -> None:
    stack.configure(spending={"office_hours": None, "budget_usd": 3})
    assert stack.up().code == 0
    scheduler = stack.aws("scheduler")
    (check,) = [one["Name"] for one in scheduler.list_schedules()["Schedules"] if "-check-" in one["Name"]]
    found = scheduler.get_schedule(Name=check)
    kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(**{key: found[key] for key in kept}, State="DISABLED")
    for _ in range(3):
        advance(stack, 12)
    assert stopped(stack, "breach")["breach"]["by"] == "AWS Budgets"
    advance(stack, 24 * 40)  # the next month
    resumed(stack)


@pytest.mark.rehearsal
def test_the_commands_of_the_page_run(stack: Checkout) -> None:
    text = (ROOT / "docs" / "spending.md").read_text()
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert "slipway resume" in script
    done = stack.shell(script)
    assert done.code == 0 and "as recorded in the artifact" in done.out, done.text


def role(checkout: Checkout, job: str) -> str:
    arn: str = checkout.outputs()["roles"][job]
    return arn.rsplit("/", 1)[-1]
