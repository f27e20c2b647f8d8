"""What the program does by API, because no resource does it: build the image, wait for a run, see an endpoint move.

They run in `apply`, never in a preview, and return at once when there is nothing to do: a second `up` changes nothing.
Only here does the program talk to AWS itself; address and account come from the environment, as for the provider.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import boto3
import pulumi
from botocore.exceptions import ClientError

POLL_SECONDS = 0.5  # the first look; each further one waits longer
SLOWEST_POLL_SECONDS = 10.0
LOG_TAIL_LINES = 20


Say = Callable[[str], None]


class ActionFailed(pulumi.RunError):
    """A build or a run did not succeed. The engine prints the message without a traceback."""


class Actions:
    """The actions against one region. The unit tests hand the program another object with these methods."""

    def __init__(self, region: str) -> None:
        self._region = region

    def _client(self, service: str) -> Any:
        return boto3.client(service, region_name=self._region)

    async def built_image(self, uri: str, project: str, resource: pulumi.Resource) -> str:
        """`uri`, once its tag is in ECR: builds it with CodeBuild `project` if it is not.

        Raises ActionFailed with the end of the build's log.
        """
        return await asyncio.to_thread(self._build, uri, project, _sayer(resource))

    async def trained_model(self, job: str, resource: pulumi.Resource) -> str:
        """The artifact's S3 URI of training job `job`, once it has completed.

        Raises ActionFailed with the job's reason when it failed, was stopped, or was refused by its gate.
        """
        return await asyncio.to_thread(self._wait_for_run, job, _sayer(resource))

    async def free_endpoint_name(self, name: str, prefix: str) -> str:
        """`name`, once no failed endpoint of this stack holds it.

        A first deployment that fails leaves its endpoint in AWS but not in Pulumi's state, and the next one is refused
        with "Cannot create already existing endpoint" (terraform-provider-aws#40080).
        """
        return await asyncio.to_thread(self._clear_failed_endpoint, name, prefix, _sayer(None))

    async def moved_endpoint(self, name: str, config: str) -> str:
        """`name`, once it is sure that the endpoint runs configuration `config`.

        The provider reports success after SageMaker has rolled an update back (terraform-provider-aws#46663), and the
        engine would then delete the very model and configuration that still serve. Raises ActionFailed instead, which
        ends the update before its deletions.
        """
        return await asyncio.to_thread(self._verify_endpoint, name, config)

    def _build(self, uri: str, project: str, say: Say) -> str:
        repository, tag = uri.rsplit("/", 1)[1].split(":")
        if self._image_exists(repository, tag):
            return uri
        codebuild = self._client("codebuild")
        say(f"building image {tag}")
        build = codebuild.start_build(
            projectName=project, environmentVariablesOverride=[{"name": "IMAGE_URI", "value": uri}]
        )["build"]

        def look() -> dict[str, Any]:
            return codebuild.batch_get_builds(ids=[build["id"]])["builds"][0]

        build = _poll(look, lambda found: found["buildComplete"])
        if build["buildStatus"] != "SUCCEEDED":
            reasons = [
                f"{phase['phaseType']}: {context['message']}"
                for phase in build["phases"]
                for context in phase.get("contexts", [])
                if context.get("message")
            ]
            tail = self._log_tail(build["logs"].get("groupName", ""), build["logs"].get("streamName", ""))
            raise ActionFailed(
                f"building the image failed ({build['buildStatus']}): {'; '.join(reasons)}\n"
                f"The end of its log:\n{tail}\nAll of it: slipway logs --build"
            )
        return uri

    def _image_exists(self, repository: str, tag: str) -> bool:
        try:
            self._client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ImageNotFoundException":
                return False
            raise
        return True

    def _wait_for_run(self, job: str, say: Say) -> str:
        sagemaker = self._client("sagemaker")
        shown: list[str] = []

        def look() -> dict[str, Any]:
            found: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=job)
            if found["SecondaryStatus"] not in shown[-1:]:
                shown.append(found["SecondaryStatus"])
                say(f"run {job}: {shown[-1]}")
            return found

        run = _poll(look, lambda found: found["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"))
        if run["TrainingJobStatus"] != "Completed":
            reason = run.get("FailureReason") or run["SecondaryStatus"]
            raise ActionFailed(
                f"run {job} {run['TrainingJobStatus'].lower()}: {reason}\n"
                f"The endpoint was not touched. The end of the run's log:\n"
                f"{self._log_tail('/aws/sagemaker/TrainingJobs', job + '/')}\n"
                f"All of it: slipway logs --run {job}\n"
                "After a change to code, data or settings `pulumi up` starts a new run; "
                "to run the same again, raise slipway:training.attempt."
            )
        artifact: str = run["ModelArtifacts"]["S3ModelArtifacts"]
        return artifact

    def _clear_failed_endpoint(self, name: str, prefix: str, say: Say) -> str:
        sagemaker = self._client("sagemaker")
        try:
            found = sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if "Could not find" in error.response["Error"]["Message"]:
                return name
            raise
        if found["EndpointStatus"] != "Failed":
            return name
        tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=found["EndpointArn"])["Tags"]}
        if f"{tags.get('slipway:project')}-{tags.get('slipway:stack')}" == prefix:
            say(f"removing the failed endpoint {name}: {found.get('FailureReason', '')}")
            sagemaker.delete_endpoint(EndpointName=name)
            sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig={"Delay": 1})
        return name

    def _verify_endpoint(self, name: str, config: str) -> str:
        found = self._client("sagemaker").describe_endpoint(EndpointName=name)
        if found["EndpointConfigName"] != config:
            raise ActionFailed(
                f"endpoint {name} did not move to {config}; it still serves {found['EndpointConfigName']}: "
                f"{found.get('FailureReason', 'SageMaker gives no reason')}\n"
                f"The end of its log:\n{self._log_tail(f'/aws/sagemaker/Endpoints/{name}', '')}\n"
                "All of it: slipway logs --endpoint\nMend the cause, then run `pulumi up` again."
            )
        return name

    def _log_tail(self, group: str, stream_prefix: str) -> str:
        """The last lines of the stream that was written to last, of those whose names begin with `stream_prefix`."""
        logs = self._client("logs")
        prefix = {"logStreamNamePrefix": stream_prefix} if stream_prefix else {}
        try:
            streams = logs.describe_log_streams(logGroupName=group, **prefix)["logStreams"]
            if not streams:
                return "  (no log)"
            stream = max(streams, key=lambda one: one.get("lastEventTimestamp", 0))["logStreamName"]
            events = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=LOG_TAIL_LINES)["events"]
        except ClientError as error:
            # The tail is a courtesy inside another error, which must not be lost to this one.
            return f"  (no log: {error.response['Error']['Message']})"
        return "\n".join(f"  {event['message'].rstrip()}" for event in events)


def _sayer(resource: pulumi.Resource | None) -> Say:
    """Shows a line beside the resource while it is true. Pulumi's log wants the event loop's own thread."""
    loop = asyncio.get_running_loop()

    def say(text: str) -> None:
        loop.call_soon_threadsafe(partial(pulumi.log.info, text, resource, ephemeral=True))

    return say


def _poll(look: Callable[[], dict[str, Any]], done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look until done, at first often (a rehearsal takes seconds), then every ten seconds (a real run takes hours)."""
    wait_seconds = POLL_SECONDS
    while not done(found := look()):
        time.sleep(wait_seconds)
        wait_seconds = min(wait_seconds * 1.1, SLOWEST_POLL_SECONDS)
    return found


def unless_preview(value: str, action: Callable[[], Awaitable[str]]) -> Awaitable[str] | str:
    """In a preview the value that the action would return, without the action."""
    return value if pulumi.runtime.is_dry_run() else action()
