"""A stack taken down: whole, page by page of docs/teardown.md, and by a command that is killed again and again."""

import json
import os
import random
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.checkout import ROOT, TIMEOUT_SECONDS, Checkout

PAGE = (ROOT / "docs" / "teardown.md").read_text()
KILLS = 20
LONGEST_SECONDS = 5.0  # a teardown takes about as long
OBJECTS = 40


def fill(checkout: Checkout) -> None:
    """What makes a teardown hard: old versions, an unfinished upload, a job that bills."""
    outputs, s3 = checkout.outputs(), checkout.aws("s3")
    bucket = outputs["bucket"]
    for body in (b"old", b"new"):
        for number in range(OBJECTS):
            s3.put_object(Bucket=bucket, Key=f"runs/{number}", Body=body)
    s3.delete_object(Bucket=bucket, Key="runs/0")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="half")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="half", UploadId=upload, PartNumber=1, Body=b"part")
    checkout.aws("sagemaker").create_training_job(**job(outputs))


def job(outputs: dict[str, Any]) -> dict[str, Any]:
    """A job of the stack's name that its program does not know, and that would go on for an hour."""
    image = {"TrainingImage": outputs["image"], "TrainingInputMode": "File", "ContainerEntrypoint": ["sleep", "3600"]}
    return {
        "TrainingJobName": "slipway-local-0123456789ab-0123abc",
        "RoleArn": outputs["roles"]["train"],
        "AlgorithmSpecification": image,
        "OutputDataConfig": {"S3OutputPath": f"s3://{outputs['bucket']}/runs/"},
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def bring_up(checkout: Checkout) -> None:
    done = checkout.up()
    assert done.code == 0, done.text
    fill(checkout)


def commands(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.rehearsal
def test_the_commands_of_the_page_take_a_stack_down_and_prove_it(running: Checkout) -> None:
    running.configure(model="off")
    bring_up(running)
    living = running.run("slipway", "leaks", "--remove")
    assert living.code == 2 and "stack local is up" in living.err and "slipway down --stack local" in living.err
    done = running.shell("\n".join(commands("sh")))
    assert done.code == 0, done.text
    stopped = r"^jobs +ok .* 1 jobs, 1 schedules stopped: USD 1,\d\d\d\.\d\d/month \(USD \d\.\d\d an hour\)$"
    assert re.search(stopped, done.out, re.M)
    assert re.search(r"^contents +ok .* 8[0-9] versions of objects", done.out, re.M)
    assert "nothing left of slipway-local" in done.out and "none: nothing of slipway-local exists" in done.out
    facts = json.loads(running.ok("slipway", "leaks", "--json"))
    assert facts == {"stack": "local", "leaks": [], "usd_month": "0", "without_price": 0, "records": []}
    assert "it was never up, or is gone already" in running.ok("slipway", "down")


@pytest.mark.parametrize("line", [line for block in commands("console") for line in block.splitlines()])
def test_commands_that_need_an_account_are_those_that_run_here(line: str) -> None:
    here = [line for block in commands("sh") for line in block.splitlines()]
    assert line.replace("--stack dev", "--stack local") in here


@pytest.mark.rehearsal
def test_leaks_of_a_stack_that_is_gone_are_listed_priced_and_removed(running: Checkout) -> None:
    cloudwatch = running.aws("cloudwatch")
    cloudwatch.put_dashboard(DashboardName="slipway-local", DashboardBody='{"widgets": []}')
    listed = running.run("slipway", "leaks")
    assert listed.code == 1 and "USD 3.00/month  slipway-local" in listed.out
    assert "1 left of slipway-local: USD 3.00/month" in listed.out
    (one,) = json.loads(running.run("slipway", "leaks", "--json").out)["leaks"]
    assert (one["kind"], one["usd_month"], one["how"]) == ("dashboard", "3", "name")
    gone = running.ok("slipway", "leaks", "--remove")
    assert "1 of 1 removed without Pulumi" in gone and "none: nothing of slipway-local exists" in gone
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []


@pytest.mark.rehearsal
def test_a_teardown_that_is_killed_at_any_moment_is_finished_by_the_next(running: Checkout) -> None:
    seed = int(os.environ.get("TEARDOWN_SEED") or time.time_ns() % 2**32)
    print(f"TEARDOWN_SEED={seed}")
    chance = random.Random(seed)
    running.configure(model="off")
    bring_up(running)
    kills = 0
    while kills < KILLS:
        if killed(running, chance):
            kills += 1
        else:
            assert proven(running)
            bring_up(running)
    last = running.run("slipway", "down")
    assert last.code == 0, (seed, last.text)
    assert proven(running)
    pulumi = running.ok("pulumi", "stack", "export", "--non-interactive")
    assert "pending_operations" not in json.loads(pulumi)["deployment"]


def killed(checkout: Checkout, chance: random.Random) -> bool:
    """Start a teardown and end it without warning; False when it was through before."""
    process = checkout.popen("slipway", "down")
    try:
        time.sleep(chance.uniform(0.2, LONGEST_SECONDS))  # not for something to happen: the moment is the test
        through = process.poll() is not None
        # As the machine's end does, or as `kill -9` of the verb alone, whose engine then goes on.
        victims = [process.pid, *(engines(checkout) if chance.random() < 0.5 else [])]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert not through or process.returncode == 0, out + err
    return not through


def engines(checkout: Checkout) -> list[int]:
    """Pulumi's processes of this checkout."""
    found = (line.split(" ", 2) for line in checkout.processes())
    return [int(words[0]) for words in found if Path(words[1]).name.startswith("pulumi")]


def proven(checkout: Checkout) -> bool:
    """The leak check finds nothing; nor does a look past it, at what the stack was made of."""
    assert "none: nothing of slipway-local exists" in checkout.ok("slipway", "leaks")
    buckets = checkout.aws("s3").list_buckets()["Buckets"]
    roles = checkout.aws("iam").list_roles()["Roles"]
    names = [*(one["Name"] for one in buckets), *(one["RoleName"] for one in roles)]
    jobs = checkout.aws("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    return not jobs and not [name for name in names if name.startswith("slipway-")]
