"""The cost of a plan in the stages of CI: its section of the report, its limit, its record."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from slipway.ci.cost import Limit, cost_of, keep_cost
from slipway.ci.events import Plan, read_plan
from slipway.ci.report import preview_report
from slipway.cost.records import records
from slipway.project import Stack
from slipway.state.files import Folder
from tests.unit.slipway import plans

TODAY = date(2026, 11, 22)


class Unreachable(Stack):
    """A stack whose account answers nothing."""

    def client(self, service: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "ListTrainingJobs")


def stack(backend: str) -> Stack:
    return Unreachable(
        root=Path("/"),
        project="slipway",
        name="dev",
        region="eu-west-1",
        environment={"PULUMI_BACKEND_URL": backend},
    )


def plan(error: str = "") -> Plan:
    steps = json.loads((plans.FOLDER / "local.json").read_text())["steps"]
    raws = [
        {"resourcePreEvent": {"metadata": {"op": "create", "type": "t", "urn": step["urn"], "new": step["newState"]}}}
        for step in steps
    ]
    return read_plan(raws, "resourcePreEvent", error)


def test_the_report_has_the_cost_beside_the_plan_without_asking_for_past_runs() -> None:
    found = cost_of(stack(""), plan(), None, TODAY)
    assert found is not None and found.refused == ""
    report = preview_report("dev", plan(), found.section)
    assert report.index("### Policy") < report.index("### Cost in eu-west-1") < report.index("### Resources")
    assert "**Against what is deployed now**" in report
    assert found.line.endswith("at worst") and "USD/month expected" in found.line


@pytest.mark.parametrize(("limit", "refused"), [("100", True), ("1000", False)])
def test_a_limit_says_no(limit: str, refused: bool) -> None:
    found = cost_of(stack(""), plan(), Limit(usd=Decimal(limit)), TODAY)
    assert found is not None and bool(found.refused) is refused


def test_a_plan_that_failed_has_no_cost() -> None:
    assert cost_of(stack(""), plan("error: no"), Limit(usd=Decimal(0)), TODAY) is None


def test_what_is_deployed_keeps_its_estimate(tmp_path: Path) -> None:
    where = stack(f"file://{tmp_path}")
    found = cost_of(where, plan(), None, TODAY)
    assert found is not None
    keep_cost(where, found)
    (kept,) = records(Folder(tmp_path), where)
    assert kept.month == found.estimate.month
    assert abs((datetime.now(UTC) - kept.at).total_seconds()) < 3600


def test_a_backend_without_files_is_no_reason_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    where = stack("https://api.pulumi.com")
    found = cost_of(where, plan(), None, TODAY)
    assert found is not None
    keep_cost(where, found)
    assert "was not kept" in capsys.readouterr().err
