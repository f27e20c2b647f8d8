"""The model registry: versioned model packages, their approval, and how a model is made from a package.

A version's ARN is arn:aws:sagemaker:<region>:<account>:model-package/<group>/<version>. A package outside of a group
is unversioned: it has a name and no approval. Packages are Completed at once: nothing is validated in a job.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from localaws import ecr, s3
from localaws.cloud import Call, Handler
from localaws.errors import AwsError, validation
from localaws.sagemaker import package_groups
from localaws.sagemaker.listing import listing
from localaws.sagemaker.package_groups import WHO, group_of
from localaws.sagemaker.state import check_repository, keep_tags, sagemaker_arn, store

PENDING, APPROVED = "PendingManualApproval", "Approved"
MAX_METADATA = 50
REPLACED = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


def create_model_package(call: Call) -> Mapping[str, Any]:
    """Completed at once; validation and certification jobs are not run"""
    request, records = call.request, store(call)
    with records.lock:
        token = request.get("ClientToken")
        same = [record for record in records.packages.values() if token and record["ClientToken"] == token]
        if same:
            return same[0]
        _check_names(request)
        identity = _next_version(call) if "ModelPackageGroupName" in request else _unversioned(call)
        specification = _specification(call, request)
        if "ModelPackageGroupName" in request:
            group_of(call).last_version = identity["ModelPackageVersion"]
        now = call.cloud.clock.now()
        record = {
            "CertifyForMarketplace": False,
            **{key: value for key, value in request.items() if key != "Tags"},
            "ClientToken": token,
            **identity,
            **({"InferenceSpecification": specification} if specification else {}),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreationTime": now,
            "CreatedBy": WHO,
        }
        records.packages[record["ModelPackageArn"]] = record
        if "ModelPackageGroupName" not in record:
            keep_tags(call, record["ModelPackageArn"])
    return record


def _check_names(request: Mapping[str, Any]) -> None:
    group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
    if group and name:
        raise validation(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to "
            "use."
        )
    if not group and not name:
        raise validation("Missing ARN.")
    if group and request.get("Tags"):
        raise validation(
            "Tags cannot be given with ModelPackageGroupName: a model package version uses the tags of its group."
        )
    if name and request.get("ModelApprovalStatus"):
        raise validation("ModelApprovalStatus does not apply to unversioned models; give a ModelPackageGroupName.")


def _next_version(call: Call) -> dict[str, Any]:
    group = group_of(call)
    name, version = group.record["ModelPackageGroupName"], group.last_version + 1
    return {
        "ModelPackageName": name,
        "ModelPackageGroupName": name,
        "ModelPackageVersion": version,
        "ModelPackageArn": sagemaker_arn(call, "model-package", f"{name}/{version}"),
        "ModelApprovalStatus": call.request.get("ModelApprovalStatus", PENDING),
    }


def _unversioned(call: Call) -> dict[str, Any]:
    name = call.request["ModelPackageName"]
    where = sagemaker_arn(call, "model-package", name)
    if where in store(call).packages:
        raise AwsError("ConflictException", f"Model Package already exists: {where}")
    return {"ModelPackageName": name, "ModelPackageArn": where}


def _specification(call: Call, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The inference specification with its images pinned by digest; refuses images and models that do not exist."""
    given = request.get("InferenceSpecification")
    if given is None:
        return None
    skip = request.get("SkipModelValidation") == "All"
    return {**given, "Containers": [_container(call, item, skip=skip) for item in given["Containers"]]}


def _container(call: Call, container: Mapping[str, Any], *, skip: bool) -> dict[str, Any]:
    image, data = container.get("Image"), container.get("ModelDataUrl")
    if not skip and data is not None and not s3.exists(data):
        raise validation(f"Could not find model data at {data}.")
    if not skip and image is not None:
        check_repository(image, "")
        if ecr.resolve(call.cloud, image) is None:
            raise validation(f"Requested image {image} not found.")
    digest = ecr.digest(image) if image is not None else None
    return {**({"ImageDigest": digest} if digest else {}), **container}


def package(call: Call, name: str) -> dict[str, Any]:
    """A package by ARN, or by name when it is unversioned. Raises AWS's error for one that does not exist."""
    where = name if name.startswith("arn:") else sagemaker_arn(call, "model-package", name)
    packages = store(call).packages
    if where not in packages:
        raise validation(f"ModelPackage {where} does not exist.")
    return packages[where]


def resolved(call: Call, containers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A model's containers with those of its packages in the place of each ModelPackageName.

    Raises a validation error for a package that does not exist or, as AWS wants it for a version, is not Approved.
    """
    found: list[Mapping[str, Any]] = []
    for container in containers:
        if "ModelPackageName" not in container:
            found.append(container)
            continue
        record = package(call, container["ModelPackageName"])
        if record.get("ModelApprovalStatus", APPROVED) != APPROVED:
            raise validation(
                f"Model package {record['ModelPackageArn']} has the approval status {record['ModelApprovalStatus']}; "
                f"it must be {APPROVED} to be deployed."
            )
        for item in record.get("InferenceSpecification", {}).get("Containers", []):
            environment = {**item.get("Environment", {}), **container.get("Environment", {})}
            found.append({**item, **({"Environment": environment} if environment else {})})
    return found


def describe_model_package(call: Call) -> Mapping[str, Any]:
    return package(call, call.request["ModelPackageName"])


def list_model_packages(call: Call) -> Mapping[str, Any]:
    """without a group only unversioned packages unless ModelPackageType says otherwise, as in AWS"""
    request, found = call.request, list(store(call).packages.values())
    if "ModelPackageGroupName" in request:
        group = group_of(call).record["ModelPackageGroupName"]
        found = [record for record in found if record.get("ModelPackageGroupName") == group]
    else:
        wanted = {"Both": (True, False), "Versioned": (True,)}.get(request.get("ModelPackageType", ""), (False,))
        found = [record for record in found if ("ModelPackageVersion" in record) in wanted]
    if "ModelApprovalStatus" in request:
        found = [record for record in found if record.get("ModelApprovalStatus") == request["ModelApprovalStatus"]]
    shown, token = listing({"SortOrder": "Ascending", **request}, found, "ModelPackageName")
    return {"ModelPackageSummaryList": shown, "NextToken": token}


def update_model_package(call: Call) -> Mapping[str, Any]:
    """approval, metadata (merged by key), specification, model card, life cycle"""
    request = call.request
    with store(call).lock:
        record = package(call, request["ModelPackageArn"])
        if "ModelApprovalStatus" in request and "ModelPackageVersion" not in record:
            raise validation("ModelApprovalStatus does not apply to unversioned models.")
        metadata = {**record.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
        for key in request.get("CustomerMetadataPropertiesToRemove", []):
            metadata.pop(key, None)
        if len(metadata) > MAX_METADATA:
            raise validation(f"CustomerMetadataProperties would hold {len(metadata)} entries; at most {MAX_METADATA}.")
        changes = {name: request[name] for name in REPLACED if name in request}
        if "InferenceSpecification" in request:
            changes["InferenceSpecification"] = _specification(call, request)
        added = request.get("AdditionalInferenceSpecificationsToAdd", [])
        if added:
            changes["AdditionalInferenceSpecifications"] = [
                *record.get("AdditionalInferenceSpecifications", []),
                *added,
            ]
        record |= {**changes, "LastModifiedTime": call.cloud.clock.now(), "LastModifiedBy": WHO}
        record.pop("CustomerMetadataProperties", None)
        record |= {"CustomerMetadataProperties": metadata} if metadata else {}
    return record


def delete_model_package(call: Call) -> None:
    """models made from it stay, and its version number is not given again"""
    records = store(call)
    with records.lock:
        where = package(call, call.request["ModelPackageName"])["ModelPackageArn"]
        del records.packages[where]
        records.tags.pop(where, None)


OPERATIONS: dict[str, Handler] = {
    **package_groups.OPERATIONS,
    "CreateModelPackage": create_model_package,
    "DeleteModelPackage": delete_model_package,
    "DescribeModelPackage": describe_model_package,
    "ListModelPackages": list_model_packages,
    "UpdateModelPackage": update_model_package,
}
