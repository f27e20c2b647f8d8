"""ECR repositories and their lifecycle policies."""

from __future__ import annotations

from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import (
    AutoName,
    Form,
    Hooks,
    Input,
    Member,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
)

GONE = ("RepositoryNotFoundException", "LifecyclePolicyNotFoundException")


def _delete(context: Context, state: Properties) -> None:
    """Deletes the repository; with its images only if the state says forceDelete."""
    force = bool(state.get("forceDelete"))
    context.call("DeleteRepository", {"repositoryName": state["name"], "force": force})


REPOSITORY = ResourceType(
    token="aws:ecr/repository:Repository",
    service="ecr",
    create="CreateRepository",
    read=Read(operation="DescribeRepositories", result="repositories[0]", key={"repositoryNames": "name"}),
    delete=None,
    key={"repositoryName": "name"},
    list_keys=("repositoryNames",),
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="repositoryName", replaces=True),
        "encryptionConfigurations": Input(api="encryptionConfiguration", form=Form.LIST_OF_ONE, replaces=True),
        "forceDelete": Input(local=True, kind="boolean"),
        "imageScanningConfiguration": Input(),
        "imageTagMutability": Input(default="MUTABLE"),
        "imageTagMutabilityExclusionFilters": Input(),
    },
    nested={"encryptionConfigurations.encryptionType": Member(default="AES256")},
    outputs={"arn": "repositoryArn", "registryId": "registryId", "repositoryUrl": "repositoryUri"},
    steps=(
        Step(
            operation="PutImageTagMutability", properties=("imageTagMutability", "imageTagMutabilityExclusionFilters")
        ),
        Step(operation="PutImageScanningConfiguration", properties=("imageScanningConfiguration",)),
    ),
    auto_name=AutoName(limit=256, lower=True),
    tags=TagStyle(
        key={"resourceArn": "arn"},
        create="tags",
        add="TagResource",
        add_member="tags",
        remove="UntagResource",
        remove_member="tagKeys",
        list="ListTagsForResource",
        result="tags",
    ),
    gone=GONE,
    hooks=Hooks(before_delete=_delete),
)

LIFECYCLE_POLICY = ResourceType(
    token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
    service="ecr",
    create="PutLifecyclePolicy",
    read=Read(operation="GetLifecyclePolicy"),
    delete="DeleteLifecyclePolicy",
    key={"repositoryName": "repository"},
    id="{repository}",
    import_id=r"(?P<repository>.+)",
    inputs={
        "repository": Input(api="repositoryName", required=True, replaces=True),
        "policy": Input(api="lifecyclePolicyText", required=True, form=Form.JSON),
    },
    outputs={"registryId": "registryId"},
    upsert=True,
    gone=GONE,
)

ROWS = (REPOSITORY, LIFECYCLE_POLICY)
