"""Limits in cloud time, each with a localaws of its own because its clock is stepped."""

from tests.unit.localaws.aws import ECHO_SERVER, Aws, running, wait_for
from tests.unit.localaws.test_training import WAITING


def step_until(aws: Aws, seconds: float, probe: object) -> None:
    """Step the clock by `seconds` until the probe is true."""

    def step() -> bool:
        aws.post("/_localaws/clock", {"advance_seconds": seconds})
        return bool(probe())  # type: ignore[operator]

    wait_for(step, "what the steps should bring about")


def test_runtime_grace_and_health_limits() -> None:
    with running() as (url, _):
        aws = Aws(url)
        aws.post("/_localaws/clock", {"mode": "stepped"})
        image = aws.image({"train": WAITING, "serve": ECHO_SERVER})

        name = aws.train(image, Environment={"STUBBORN": "yes"}, StoppingCondition={"MaxRuntimeInSeconds": 600})
        wait_for(lambda: aws.job(name)["SecondaryStatus"] == "Training" and bool(aws.job_log(name)), "the first line")
        assert aws.job(name)["TrainingJobStatus"] == "InProgress"
        step_until(aws, 100, lambda: aws.job(name)["TrainingJobStatus"] == "Stopped")
        job = aws.job(name)
        assert job["SecondaryStatus"] == "MaxRuntimeExceeded"
        assert job["TrainingTimeInSeconds"] >= 600 + 120

        sick = aws.endpoint(aws.config(image, PING_STATUS="503"))
        wait_for(lambda: bool(aws.log(f"/aws/sagemaker/Endpoints/{sick}", "main/")), "the server")
        assert aws.describe(sick)["EndpointStatus"] == "Creating"
        step_until(aws, 100, lambda: aws.describe(sick)["EndpointStatus"] == "Failed")
        assert "did not pass the ping health check" in aws.describe(sick)["FailureReason"]
