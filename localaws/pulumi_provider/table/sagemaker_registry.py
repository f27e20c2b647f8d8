"""SageMaker model package groups: the shelf; the packages on it are no concern of Pulumi's."""

from __future__ import annotations

from localaws.pulumi_provider import waiters
from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.schema import Hooks, Input, Properties, Read, ResourceType
from localaws.pulumi_provider.table.sagemaker_training import GONE, TAGS

LIMIT_SECONDS = 10 * 60  # fixed in the real provider too
MOVING = ("Pending", "InProgress")


def _await_completed(context: Context, properties: Properties) -> None:
    name = properties["modelPackageGroupName"]

    def settled() -> str | None:
        status = context.call("DescribeModelPackageGroup", {"ModelPackageGroupName": name})["ModelPackageGroupStatus"]
        return None if status in MOVING else str(status)

    status = waiters.until(context, f"model package group {name} reaching Completed", LIMIT_SECONDS, settled)
    if status != "Completed":
        raise waiters.WaitError(f"model package group {name} is {status} instead of Completed")


def _await_gone(context: Context, state: Properties) -> None:
    name = state["modelPackageGroupName"]

    def gone() -> bool | None:
        try:
            context.call("DescribeModelPackageGroup", {"ModelPackageGroupName": name})
        except CallError as error:
            if error.matches(GONE):
                return True
            raise
        return None

    waiters.until(context, f"the deletion of model package group {name}", LIMIT_SECONDS, gone)


MODEL_PACKAGE_GROUP = ResourceType(
    token="aws:sagemaker/modelPackageGroup:ModelPackageGroup",
    service="sagemaker",
    create="CreateModelPackageGroup",
    read=Read(operation="DescribeModelPackageGroup"),
    # SageMaker refuses it while packages are left, and the real provider does not delete them either.
    delete="DeleteModelPackageGroup",
    key={"ModelPackageGroupName": "modelPackageGroupName"},
    id="{modelPackageGroupName}",
    import_id=r"(?P<modelPackageGroupName>.+)",
    inputs={
        "modelPackageGroupName": Input(required=True, replaces=True),
        "modelPackageGroupDescription": Input(replaces=True),
    },
    outputs={"arn": "ModelPackageGroupArn"},
    tags=TAGS,
    gone=GONE,
    hooks=Hooks(complete=_await_completed, after_delete=_await_gone),
)

ROWS = (MODEL_PACKAGE_GROUP,)
