"""Groups of model packages: each holds the versions of one model, and the tags of all of them."""

from collections.abc import Mapping
from typing import Any

from localaws.cloud import ACCOUNT, Call, Handler
from localaws.errors import AwsError, validation
from localaws.sagemaker.listing import listing
from localaws.sagemaker.state import ModelPackageGroup, keep_tags, sagemaker_arn, store

WHO = {"IamIdentity": {"Arn": f"arn:aws:iam::{ACCOUNT}:root", "PrincipalId": ACCOUNT}}


def create_model_package_group(call: Call) -> Mapping[str, Any]:
    request, records = call.request, store(call)
    name = request["ModelPackageGroupName"]
    where = sagemaker_arn(call, "model-package-group", name)
    with records.lock:
        if name in records.package_groups:
            raise validation(f"Model Package Group already exists: {where}")
        record = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelPackageGroupArn": where,
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": call.cloud.clock.now(),
            "CreatedBy": WHO,
        }
        records.package_groups[name] = ModelPackageGroup(record=record)
        keep_tags(call, where)
    return record


def group_of(call: Call) -> ModelPackageGroup:
    """The group of the request, which may give its name or its ARN."""
    name = call.request["ModelPackageGroupName"].split("/")[-1]
    groups = store(call).package_groups
    found = groups.get(name) or next((groups[known] for known in groups if known.lower() == name.lower()), None)
    if found is None:
        raise validation(f"ModelPackageGroup {sagemaker_arn(call, 'model-package-group', name)} does not exist.")
    return found


def describe_model_package_group(call: Call) -> Mapping[str, Any]:
    return group_of(call).record


def list_model_package_groups(call: Call) -> Mapping[str, Any]:
    records = [group.record for group in list(store(call).package_groups.values())]
    shown, token = listing({"SortOrder": "Ascending", **call.request}, records, "ModelPackageGroupName")
    return {"ModelPackageGroupSummaryList": shown, "NextToken": token}


def delete_model_package_group(call: Call) -> None:
    """refused while it holds packages, as in AWS"""
    records = store(call)
    with records.lock:
        record = group_of(call).record
        name = record["ModelPackageGroupName"]
        if any(package.get("ModelPackageGroupName") == name for package in records.packages.values()):
            raise AwsError(
                "ConflictException",
                f"Model Package Group {record['ModelPackageGroupArn']} cannot be deleted because it still contains "
                "Model Packages. Delete them first.",
            )
        del records.package_groups[name]
        records.tags.pop(record["ModelPackageGroupArn"], None)


OPERATIONS: dict[str, Handler] = {
    "CreateModelPackageGroup": create_model_package_group,
    "DeleteModelPackageGroup": delete_model_package_group,
    "DescribeModelPackageGroup": describe_model_package_group,
    "ListModelPackageGroups": list_model_package_groups,
}
