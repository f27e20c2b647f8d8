"""Preflight and the capacity ladder with the real engine: docs/preflight.md, and one report of everything."""

import json
import re
import urllib.request
from typing import Any

import pytest

from slipway.preflight.quota_book import load
from tests.e2e.checkout import ROOT, Checkout
from tests.e2e.updates.cases import QUICK

PAGE = (ROOT / "docs" / "preflight.md").read_text()


def post(checkout: Checkout, path: str, body: Any) -> None:
    url = checkout.environment["AWS_ENDPOINT_URL"] + path
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
    urllib.request.urlopen(request).close()


@pytest.mark.rehearsal
def test_the_commands_of_the_page_run_and_the_ladder_is_climbed(checkout: Checkout) -> None:
    checkout.configure(training=QUICK)
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    done = checkout.shell(script.replace("slipway local start\n", "slipway local start --port 0\n"))
    assert done.code == 0, done.text
    assert "✗ quota" in done.out and "'ml.g5.xlarge for training job usage' (L-B6D80D9C) is 0 instances" in done.out
    report = json.loads((checkout.folder / "preflight.json").read_text())
    assert report["verdict"] == "problem"
    (quota,) = [one for one in report["findings"] if one["level"] == "problem"]
    assert quota["found"].endswith("is 0 instances; 1 asked for, PENDING")
    (climbed,) = re.findall(r"^capacity +ok .*$", done.out, re.MULTILINE)
    assert "CapacityError" in climbed and "going on with rung 2 of 2: 1 x ml.g4dn.xlarge, USD " in climbed
    assert "gate=passed" in done.out
    (again,) = re.findall(r"^Resources:\n((?: +.*\n)+)", done.out, re.MULTILINE)
    assert "unchanged" in again and "created" not in again and "deleted" not in again


def test_the_quota_of_the_page_is_the_one_of_its_type() -> None:
    assert set(re.findall(r"L-[0-9A-F]{8}", PAGE)) == {load().types["Training", "ml.g5.xlarge"].code}


@pytest.mark.rehearsal
def test_plain_pulumi_up_climbs_a_rung_each_time_and_lists_all_at_the_end(running: Checkout) -> None:
    running.configure(
        training=QUICK | {"fallbacks": [{"instance_type": "ml.g5.xlarge", "spot": True}]}, serving={"enabled": False}
    )
    post(running, "/_localaws/capacity", {"instance_type": "ml.g5.xlarge", "component": "Training", "available": 0})
    first = running.up()
    assert (
        first.code != 0
        and "`pulumi up` again goes on with rung 2 of 2: 1 x ml.g5.xlarge, spot, at most USD " in first.text
    )
    post(running, "/_localaws/clock", {"mode": "scaled", "factor": 600})  # a spot job waits for 20 minutes
    last = running.up()
    assert last.code != 0 and "No rung is left" in last.text
    assert last.text.count("no instances: rung") >= 2 and "MaxWaitTimeExceeded: no spot capacity within" in last.text
    assert len(running.aws("sagemaker").list_training_jobs()["TrainingJobSummaries"]) == 2


@pytest.mark.rehearsal
def test_one_report_lists_everything(running: Checkout) -> None:
    """Quota, data and a name at once; nothing is made. (A missing permission: tests/unit/slipway/test_preflight.py.)"""
    post(running, "/_localaws/quotas", {load().types["Training", "ml.g5.xlarge"].code: 0})
    running.configure(data="s3://no-such-bucket-0/digits")
    running.aws("logs").create_log_group(logGroupName="/aws/sagemaker/Endpoints/slipway-local")
    done = running.run("slipway", "preflight", "--json")
    report = json.loads(done.out)
    assert done.code == 3 and report["verdict"] == "problem"
    problems = {one["check"]: one for one in report["findings"] if one["level"] == "problem"}
    assert set(problems) == {"quota", "data", "names"}
    assert all(one["mend"] for one in problems.values())
    assert "preview " in done.err and "checks " in done.err, "it shows what it is doing"
    assert running.aws("s3").list_buckets(Prefix="slipway-local")["Buckets"] == []


@pytest.mark.rehearsal
def test_a_stage_stops_before_anything_is_made(running: Checkout) -> None:
    post(running, "/_localaws/quotas", {load().types["Training", "ml.g5.xlarge"].code: 0})
    done = running.run("slipway", "ci", "deploy", "--policy-pack", str(ROOT / "infra" / "policies"))
    assert done.code == 3, done.text
    assert "preflight    failed" in done.out and "--skip-preflight" in done.err
    assert running.aws("s3").list_buckets(Prefix="slipway-local")["Buckets"] == []
