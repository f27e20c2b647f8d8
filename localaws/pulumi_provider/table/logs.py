"""CloudWatch log groups."""

from __future__ import annotations

from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import AutoName, Hooks, Input, Properties, Read, ResourceType, Step, TagStyle

GONE = ("ResourceNotFoundException",)


def _delete(context: Context, state: Properties) -> None:
    """Deletes the group, unless the state says skipDestroy."""
    if not state.get("skipDestroy"):
        context.call("DeleteLogGroup", {"logGroupName": state["name"]})


def _plain_arn(_context: Context, state: Properties, _found: object) -> None:
    """CloudWatch's ARN of a group ends in ":*", which the tag operations and pulumi-aws leave out."""
    state["arn"] = state["arn"].removesuffix(":*")


LOG_GROUP = ResourceType(
    token="aws:cloudwatch/logGroup:LogGroup",
    service="logs",
    create="CreateLogGroup",
    # There is no operation for one group: list by prefix, take the equal one.
    read=Read(
        operation="DescribeLogGroups",
        result="logGroups[?logGroupName=='{name}'] | [0]",
        key={"logGroupNamePrefix": "name"},
    ),
    delete=None,
    key={"logGroupName": "name"},
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="logGroupName", replaces=True),
        "kmsKeyId": Input(),
        "logGroupClass": Input(replaces=True),
        "retentionInDays": Input(),
        "skipDestroy": Input(local=True, kind="boolean", default=False),
    },
    outputs={"arn": "arn"},
    steps=(
        Step(
            operation="PutRetentionPolicy",
            properties=("retentionInDays",),
            remove="DeleteRetentionPolicy",
            on_create=True,
        ),
        Step(operation="AssociateKmsKey", properties=("kmsKeyId",), remove="DisassociateKmsKey"),
    ),
    auto_name=AutoName(prefix_property="namePrefix", limit=512),
    tags=TagStyle(
        key={"resourceArn": "arn"},
        create="tags",
        add="TagResource",
        add_member="tags",
        remove="UntagResource",
        remove_member="tagKeys",
        pairs=None,
        list="ListTagsForResource",
        result="tags",
    ),
    gone=GONE,
    hooks=Hooks(after_read=_plain_arn, before_delete=_delete),
    refused=("deletionProtectionEnabled",),
)

ROWS = (LOG_GROUP,)
