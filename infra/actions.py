"""What the program does by API, because no resource does it: build the image, wait for a run, see an endpoint move.

They run in `apply`, never in a preview, and return at once when there is nothing to do: a second `up` changes nothing.
Only here does the program talk to AWS itself; address and account come from the environment, as for the provider.
"""

import asyncio
from collections.abc import Collection
from typing import Any

import boto3
import pulumi
from botocore.exceptions import ClientError

from infra import capacity, endpoint_actions, run_actions
from infra.endpoint_actions import Move
from infra.folder import Folder
from infra.upload import upload_folder
from infra.waiting import ActionFailed, Say, log_tail, poll, sayer


class Actions:
    """The actions against one region. The unit tests hand the program another object with these methods."""

    def __init__(self, region: str) -> None:
        self._region = region

    def _client(self, service: str) -> Any:
        return boto3.client(service, region_name=self._region)

    async def uploaded_folder(self, folder: Folder, bucket: str, resource: pulumi.Resource | None) -> str:
        """The S3 URI of a local folder's files in `bucket`, once they lie there whole; raises ActionFailed."""
        return await asyncio.to_thread(upload_folder, self._client("s3"), folder, bucket, sayer(resource))

    async def built_image(self, uri: str, project: str, resource: pulumi.Resource) -> str:
        """`uri`, once its tag is in ECR: builds it with CodeBuild `project` if it is not.

        Raises ActionFailed with the end of the build's log.
        """
        return await asyncio.to_thread(self._build, uri, project, sayer(resource))

    async def trained_model(self, job: str, resource: pulumi.Resource) -> str:
        """The artifact's S3 URI of training job `job`, once it has completed.

        Raises ActionFailed with the job's reason when it failed, was stopped, or was refused by its gate.
        """
        return await asyncio.to_thread(run_actions.wait_for_run, self._client, job, sayer(resource))

    def known_runs(self, prefix: str, contents: Collection[str]) -> list[capacity.KnownRun]:
        """The runs of the stack whose names begin with `prefix` that have these contents. Only reads.

        Not awaited, for a run's name says on which rung of its capacity ladder it is.
        """
        return capacity.known_runs(self._client, prefix, contents)

    async def tuned_model(self, job: str, *, wait: bool) -> tuple[str, str]:
        """(run, artifact) of the best training job of tuning job `job`, once that has completed.

        With `wait` false, as in a preview, of the best so far, or a word in its place. Raises ActionFailed when the
        tuning job failed, was stopped, or found nothing that passed the gate.
        """
        say = sayer(None)
        return await asyncio.to_thread(run_actions.best_of_tuning, self._client, job, say, wait)

    async def registered_model(self, group: str, run: str, image: str, approve: bool) -> str:
        """The ARN of the model package of a completed run, registered in model package group `group` once."""
        return await asyncio.to_thread(run_actions.register, self._client, group, run, image, approve)

    def awaits_first_approval(self, prefix: str) -> bool:
        """Whether the stack whose names begin with `prefix` serves nothing, and no run of it is approved. Only reads.

        Not awaited, for the program declares no endpoint then.
        """
        return run_actions.awaits_first_approval(self._client, prefix)

    async def approved_model(self, group: str, *, wait: bool) -> str:
        """The artifact of the newest approved package of `group`; with `wait` false a word where there is none.

        Raises ActionFailed when no package is approved.
        """
        return await asyncio.to_thread(run_actions.approved_artifact, self._client, group, wait)

    async def baseline_artifact(self, group: str, *, wait: bool) -> str:
        """The artifact of the newest approved package of `group`; empty where none is approved. Only reads."""
        return await asyncio.to_thread(run_actions.baseline_artifact, self._client, group, wait)

    async def free_endpoint_name(self, name: str, prefix: str) -> str:
        """`name`, once no failed endpoint of this stack holds it."""
        await asyncio.to_thread(endpoint_actions.free_name, self._client, name, prefix, sayer(None))
        return name

    async def ready_endpoint(self, move: Move, config: str) -> str:
        """`config`, once AWS would let the endpoint move to it. Raises ActionFailed when that may not be arranged."""
        await asyncio.to_thread(endpoint_actions.clear_the_way, self._client, move, config, sayer(None))
        return config

    async def instance_count(self, endpoint: str, content: str, fewest: int, most: int) -> int:
        """The initial instance count of the endpoint's configuration with this content. Only reads."""
        return await asyncio.to_thread(endpoint_actions.instance_count, self._client, endpoint, content, fewest, most)

    async def deployment_of_move(self, move: Move, config: str, wanted: dict[str, Any] | None) -> dict[str, Any] | None:
        """The deployment config of the move to `config`, or of the last move where it runs already. Only reads."""
        return await asyncio.to_thread(endpoint_actions.deployment_of_move, self._client, move, config, wanted)

    async def moved_endpoint(self, name: str, config: str) -> str:
        """`name`, once it is sure that the endpoint runs configuration `config`.

        The provider reports success after SageMaker has rolled an update back (terraform-provider-aws#46663), and the
        engine would then delete the very model and configuration that still serve. Raises ActionFailed instead, which
        ends the update before its deletions.
        """
        if missing := await asyncio.to_thread(endpoint_actions.verify_move, self._client, name, config):
            pulumi.warn(missing)
        return name

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

        build = poll(look, lambda found: found["buildComplete"])
        if build["buildStatus"] != "SUCCEEDED":
            reasons = [
                f"{phase['phaseType']}: {context['message']}"
                for phase in build["phases"]
                for context in phase.get("contexts", [])
                if context.get("message")
            ]
            tail = log_tail(self._client, build["logs"].get("groupName", ""), build["logs"].get("streamName", ""))
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
