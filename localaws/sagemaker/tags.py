"""Tags of SageMaker resources."""

from collections.abc import Mapping
from typing import Any

from localaws.cloud import Call, Handler
from localaws.errors import validation
from localaws.paging import page
from localaws.sagemaker.state import store

LIMIT = 50
DEFAULT_RESULTS = 50


def _tags(call: Call) -> dict[str, str]:
    resource, records = call.request["ResourceArn"], store(call)
    tags = records.tags
    if resource in records.packages and "ModelPackageGroupName" in records.packages[resource]:
        # A version of a model package has no tags of its own: it uses those of its group.
        group = records.package_groups[records.packages[resource]["ModelPackageGroupName"]]
        resource = group.record["ModelPackageGroupArn"]
    if resource not in tags:
        raise validation(f"Could not find resource with ARN {resource}.")
    return tags[resource]


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def add_tags(call: Call) -> Mapping[str, Any]:
    tags = _tags(call)
    merged = {**tags, **{tag["Key"]: tag["Value"] for tag in call.request["Tags"]}}
    if len(merged) > LIMIT:
        raise validation(f"A resource can have at most {LIMIT} tags; this would make {len(merged)}.")
    tags.update(merged)
    return {"Tags": as_list(tags)}


def list_tags(call: Call) -> Mapping[str, Any]:
    shown, token = page(
        as_list(_tags(call)), call.request.get("NextToken"), call.request.get("MaxResults", DEFAULT_RESULTS)
    )
    return {"Tags": shown, "NextToken": token}


def delete_tags(call: Call) -> None:
    tags = _tags(call)
    for key in call.request["TagKeys"]:
        tags.pop(key, None)


OPERATIONS: dict[str, Handler] = {"AddTags": add_tags, "DeleteTags": delete_tags, "ListTags": list_tags}
