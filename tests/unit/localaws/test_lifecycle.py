"""localaws as a program: start, control paths, reset, and that nothing survives it, however it ends."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from localaws.coverage import page
from tests.unit.localaws.aws import ECHO_SERVER, REPOSITORY_ROOT, WAIT_SECONDS, Aws, alive, running, wait_for

WAITING = "#!/usr/bin/env python3\nimport signal, threading\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
WAITING += "import os\nprint(os.getpid(), flush=True)\nthreading.Event().wait()\n"


def busy(aws: Aws) -> tuple[int, int]:
    """A server and a job that ignores SIGTERM; their process ids."""
    image = aws.image({"train": WAITING, "serve": ECHO_SERVER})
    job = aws.train(image)
    endpoint = aws.endpoint(aws.config(image))
    aws.settled(endpoint)
    training = wait_for(
        lambda: aws.job(job)["SecondaryStatus"] == "Training" and aws.job_log(job), "the job's first line"
    )
    return aws.invoke(endpoint)["pid"], int(training[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_survives(number: int, tmp_path: Path) -> None:
    with running(env={**os.environ, "TMPDIR": str(tmp_path)}) as (url, process):
        pids = busy(Aws(url))
        assert all(alive(pid) for pid in pids)
        process.send_signal(number)
        process.wait(WAIT_SECONDS)
        wait_for(lambda: not any(alive(pid) for pid in pids), "the end of the children")
        wait_for(lambda: not list(tmp_path.glob("localaws-*")), "the removal of the temporary folder")
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)


def test_reset_stops_and_forgets(tmp_path: Path) -> None:
    rate = {"interruptions_per_hour": 2, "capacity_after_seconds": 60, "notice": "none", "seed": 1}
    with running("--state", str(tmp_path / "state"), "--spot", json.dumps(rate)) as (url, _):
        aws = Aws(url)
        assert aws.get("/_localaws/spot") == {**rate, "interruptions": []}
        pids = busy(aws)
        aws.post("/_localaws/clock", {"mode": "stepped"})
        assert aws.post("/moto-api/reset", {}) == {"status": "ok"}
        assert not any(alive(pid) for pid in pids)
        assert aws.client("sagemaker").list_endpoints()["Endpoints"] == []
        assert aws.client("s3").list_buckets()["Buckets"] == []
        health = aws.get("/_localaws/health")
        assert [health[name] for name in ("jobs", "builds", "endpoints", "processes")] == [0, 0, 0, 0]
        assert aws.get("/_localaws/clock")["mode"] == "real"
        assert aws.get("/_localaws/spot")["interruptions_per_hour"] == 0
        busy(Aws(url))
    assert (tmp_path / "state").is_dir()


def test_health_and_clock(aws: Aws) -> None:
    health = aws.get("/_localaws/health")
    assert health["url"] == aws.url
    assert alive(health["pid"])
    with pytest.raises(urllib.error.HTTPError) as caught:
        aws.post("/_localaws/clock", {"mode": "slow"})
    assert "allowed: real, scaled, stepped" in caught.value.read().decode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        aws.get("/_localaws/nothing")
    assert caught.value.code == 404


def test_what_nobody_implements_is_refused_at_once(aws: Aws) -> None:
    for service, operation, arguments in (
        ("sagemaker", "list_inference_components", {}),
        ("codebuild", "list_fleets", {}),
        ("budgets", "describe_budget_actions_for_account", {"AccountId": "123456789012"}),
        ("sts", "decode_authorization_message", {"EncodedMessage": "x"}),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(aws.client(service), operation)(**arguments)
        answer = caught.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501, service
        assert answer["Error"]["Code"] == "NotImplementedException", service


def test_moto_answers_the_rest(aws: Aws) -> None:
    queue = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    assert queue.startswith(aws.url)


def test_a_taken_port_is_explained(aws: Aws) -> None:
    command = [sys.executable, "-m", "localaws", "--port", aws.url.rsplit(":", 1)[-1]]
    done = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert done.returncode == 2
    assert "choose another --port" in done.stderr
    assert done.stdout == ""


def test_the_coverage_page_comes_from_the_tables_and_is_the_one_in_docs() -> None:
    lines = page().splitlines()
    assert (REPOSITORY_ROOT / "docs" / "emulated.md").read_text().splitlines() == lines
    assert any(line.startswith("| sagemaker | CreateTrainingJob | ours | runs the image") for line in lines)
    assert any(line.startswith("| logs | PutLogEvents | moto |") for line in lines)
    assert not any("| CreateInferenceComponent |" in line for line in lines)
