"""What people get wrong, with the real engine: the cause is told, nothing is lost, and mending it works."""

import io
import json
import signal
import tarfile
import time
from pathlib import Path

import pytest

from tests.e2e.checkout import Checkout


def quick(checkout: Checkout) -> None:
    """A run that is over soon."""
    checkout.configure(training={"min_accuracy": 0.5, "hyperparameters": {"model": "mlp", "epochs": 3}})


def test_all_configuration_errors_at_once_and_nothing_is_made(running: Checkout) -> None:
    running.configure(trainig={}, serving={"instance_type": "m5.large"}, owner="")
    done = running.up()
    assert done.code != 0
    for part in (
        "3 error(s)",
        "did you mean 'training'?",
        "serving.instance_type is 'm5.large'",
        "slipway:owner is ''",
    ):
        assert part in done.text
    assert "Traceback" not in done.text
    assert "none" in running.ok("slipway", "leaks")


def test_one_mistake_after_the_other_is_told_and_mended(running: Checkout) -> None:
    quick(running)
    a_script_that_raises(running)
    a_first_endpoint_that_fails(running)
    mended = running.up()
    assert mended.code == 0, mended.text
    running.ok("slipway", "invoke")
    a_bad_artifact_leaves_the_old_endpoint_serving(running)


def a_script_that_raises(running: Checkout) -> None:
    main = running.folder / "training" / "__main__.py"
    right = main.read_text()
    main.write_text('raise ValueError("the label column is missing")\n')
    broken = running.up()
    assert broken.code != 0
    assert "the label column is missing" in broken.text and "slipway train --again" in broken.text
    assert "the label column is missing" in running.ok("slipway", "logs")
    unknown = running.run("slipway", "logs", "--run", "nope")
    assert unknown.code == 1 and "nothing is logged in /aws/sagemaker/TrainingJobs in a stream nope/..." in unknown.err
    main.write_text(right)


def a_first_endpoint_that_fails(running: Checkout) -> None:
    serve = running.folder / "inference" / "bin" / "serve"
    right = serve.read_text()
    serve.write_text("#!/bin/sh\necho out of order >&2\nexit 1\n")
    broken = running.up()
    assert broken.code != 0 and "did not pass the ping health check" in broken.text
    serve.write_text(right)


def a_bad_artifact_leaves_the_old_endpoint_serving(running: Checkout) -> None:
    before = running.outputs()
    uri = put_artifact(running, before, manifest={"format_version": 999})
    running.configure(model=uri)
    rolled_back = running.up()
    assert rolled_back.code != 0 and "did not move to" in rolled_back.text
    assert "did not pass the ping health check" in rolled_back.text and "manifest" in rolled_back.text
    served = running.aws("sagemaker").describe_endpoint(EndpointName=before["endpoint"])
    assert (served["EndpointStatus"], served["EndpointConfigName"]) == ("InService", before["endpoint_config"])
    running.ok("slipway", "invoke")


def put_artifact(checkout: Checkout, outputs: dict[str, str], manifest: dict[str, object]) -> str:
    """An artifact with this manifest and nothing else, in the stack's bucket."""
    body = json.dumps(manifest).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(body)
        tar.addfile(entry, io.BytesIO(body))
    key = "runs/bad/model.tar.gz"
    checkout.aws("s3").put_object(Bucket=outputs["bucket"], Key=key, Body=buffer.getvalue())
    return f"s3://{outputs['bucket']}/{key}"


@pytest.mark.rehearsal
def test_an_interrupted_up_finds_its_run_again(running: Checkout) -> None:
    running.configure(training={"hyperparameters": {"model": "cnn", "epochs": 30}})
    process = running.popen("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", start_new_session=True)
    sagemaker = running.aws("sagemaker")
    deadline = time.monotonic() + 60
    while not (jobs := in_training(sagemaker)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    again = running.up()
    assert again.code == 0, again.text
    found = [job["TrainingJobName"] for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]]
    assert found == jobs == [running.outputs()["run"]]


def in_training(sagemaker: object) -> list[str]:
    summaries = sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]  # type: ignore[attr-defined]
    return [job["TrainingJobName"] for job in summaries if job["SecondaryStatus"] == "Training"]


def test_without_the_embedded_aws_a_local_stack_says_how_to_start_it(checkout: Checkout, pulumi_bin: Path) -> None:
    for words in (("invoke",), ("logs",), ("leaks",), ("down",), ("local", "env")):
        done = checkout.run("slipway", *words)
        assert done.code == 1
        assert done.err.strip() == "slipway: the embedded AWS is not running; start it: slipway local start"
    assert checkout.run("slipway", "local", "status").code == 1


def test_a_port_in_use_is_named(running: Checkout, tmp_path: Path) -> None:
    port = running.environment["AWS_ENDPOINT_URL"].rsplit(":", 1)[1]
    other = Checkout(tmp_path / "other")
    done = other.run("slipway", "local", "start", "--port", port)
    assert done.code == 1
    assert f"port {port}" in done.err and "in use" in done.err
    again = running.run("slipway", "local", "start")
    assert again.code == 2 and "already running" in again.err


def test_stacks_and_endpoints_must_match(running: Checkout) -> None:
    endpoint = running.environment.pop("AWS_ENDPOINT_URL")
    done = running.up()
    assert done.code != 0 and "runs on the embedded AWS only" in done.text
    running.environment["AWS_ENDPOINT_URL"] = endpoint
    (running.folder / "Pulumi.dev.yaml").write_text("config:\n  aws:region: eu-west-1\n  slipway:owner: me\n")
    running.ok("pulumi", "stack", "select", "--create", "dev", "--non-interactive")
    done = running.up()
    assert done.code != 0 and "is for a real account" in done.text
