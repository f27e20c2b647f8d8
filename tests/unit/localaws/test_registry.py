"""The model registry: versions, approval, the rules for groups and tags, and models made from packages."""

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ACCOUNT, ECHO_SERVER, REGION, Aws, tar_gz, unique

PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"serve": ECHO_SERVER})


@pytest.fixture(scope="module")
def model_data(aws: Aws) -> str:
    return aws.put("registry/model.tar.gz", tar_gz({"weights": b"1"}))


@pytest.fixture
def group(aws: Aws) -> str:
    name = unique("group")
    aws.client("sagemaker").create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription="words", Tags=[{"Key": "slipway:stack", "Value": name}]
    )
    return name


@pytest.fixture
def register(aws: Aws, image: str, model_data: str, group: str) -> Any:
    def create(**extra: Any) -> str:
        container = {"Image": image, "ModelDataUrl": model_data, "Environment": {"NAME": "of the package"}}
        request = {
            "ModelPackageGroupName": group,
            "InferenceSpecification": {
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
            **extra,
        }
        arn: str = aws.client("sagemaker").create_model_package(**request)["ModelPackageArn"]
        return arn

    return create


def describe(aws: Aws, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("sagemaker").describe_model_package(ModelPackageName=arn)
    return found


def test_a_group_is_described_listed_and_found_by_its_tags(aws: Aws, group: str) -> None:
    sagemaker, arn = aws.client("sagemaker"), f"{PREFIX}:model-package-group/{group}"
    found = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert (found["ModelPackageGroupArn"], found["ModelPackageGroupStatus"]) == (arn, "Completed")
    assert found["ModelPackageGroupDescription"] == "words"
    assert sagemaker.describe_model_package_group(ModelPackageGroupName=arn)["ModelPackageGroupName"] == group
    listed = sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
    assert [item["ModelPackageGroupName"] for item in listed] == [group]
    tagged = aws.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "slipway:stack", "Values": [group]}]
    )["ResourceTagMappingList"]
    assert [item["ResourceARN"] for item in tagged] == [arn]


def test_group_names_are_unique(aws: Aws, group: str) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*Model Package Group already exists: arn:aws"):
        aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)


def test_a_missing_group_does_not_exist(aws: Aws) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*ModelPackageGroup arn:aws.*nothing does not exist"):
        aws.client("sagemaker").describe_model_package_group(ModelPackageGroupName="nothing")


def test_versions_are_numbered_and_wait_for_approval(aws: Aws, register: Any, group: str, image: str) -> None:
    first, second = register(), register(ModelApprovalStatus="Approved")
    assert [first, second] == [f"{PREFIX}:model-package/{group}/{number}" for number in (1, 2)]
    found = describe(aws, first)
    assert (found["ModelPackageVersion"], found["ModelPackageGroupName"]) == (1, group)
    assert (found["ModelApprovalStatus"], found["ModelPackageStatus"]) == ("PendingManualApproval", "Completed")
    assert describe(aws, second)["ModelApprovalStatus"] == "Approved"
    container = found["InferenceSpecification"]["Containers"][0]
    assert container["Image"] == image
    assert container["ImageDigest"].startswith("sha256:")


def test_a_deleted_versions_number_is_not_given_again(aws: Aws, register: Any) -> None:
    register()
    aws.client("sagemaker").delete_model_package(ModelPackageName=register())
    assert register().endswith("/3")


def test_a_group_with_packages_cannot_be_deleted(aws: Aws, register: Any, group: str) -> None:
    sagemaker, arn = aws.client("sagemaker"), register()
    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match=r"ValidationException.*ModelPackage arn.* does not exist"):
        describe(aws, arn)


def test_approval_and_metadata_are_updated(aws: Aws, register: Any) -> None:
    arn = register(CustomerMetadataProperties={"run": "r-1", "accuracy": "0.9"})
    aws.client("sagemaker").update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"accuracy": "0.95", "by": "me"},
        CustomerMetadataPropertiesToRemove=["by"],
    )
    found = describe(aws, arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "good")
    assert found["CustomerMetadataProperties"] == {"run": "r-1", "accuracy": "0.95"}
    assert found["LastModifiedTime"] >= found["CreationTime"]


def test_metrics_are_kept(aws: Aws, register: Any) -> None:
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/metrics.json"}}}
    assert describe(aws, register(ModelMetrics=metrics))["ModelMetrics"] == metrics


def test_versions_are_listed_by_group_and_status_oldest_first(aws: Aws, register: Any, group: str) -> None:
    arns = [register(), register(ModelApprovalStatus="Approved"), register(ModelApprovalStatus="Approved")]

    def listed(**filters: Any) -> list[str]:
        pages = (
            aws.client("sagemaker")
            .get_paginator("list_model_packages")
            .paginate(ModelPackageGroupName=group, PaginationConfig={"PageSize": 1}, **filters)
        )
        return [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]

    assert listed() == arns
    assert listed(SortOrder="Descending") == arns[::-1]
    assert listed(ModelApprovalStatus="Approved", SortBy="CreationTime", SortOrder="Descending") == arns[:0:-1]


def test_without_a_group_only_unversioned_packages_are_listed(aws: Aws, register: Any, group: str) -> None:
    version, name = register(), unique("package")
    aws.client("sagemaker").create_model_package(ModelPackageName=name, ModelPackageDescription="unversioned")

    def listed(**filters: Any) -> set[str]:
        found = aws.client("sagemaker").list_model_packages(MaxResults=100, **filters)["ModelPackageSummaryList"]
        return {item["ModelPackageArn"] for item in found}

    alone = f"{PREFIX}:model-package/{name}"
    assert alone in listed()
    assert version not in listed()
    assert version in listed(ModelPackageType="Versioned")
    assert {alone, version} <= listed(ModelPackageType="Both")
    assert "ModelApprovalStatus" not in describe(aws, name)


def test_a_package_needs_a_group_or_a_name_not_both(aws: Aws, group: str) -> None:
    create = aws.client("sagemaker").create_model_package
    with pytest.raises(ClientError, match=r"ValidationException.*Missing ARN"):
        create(ModelPackageDescription="neither")
    with pytest.raises(ClientError, match="Both ModelPackageName and ModelPackageGroupName are provided"):
        create(ModelPackageGroupName=group, ModelPackageName="both")


def test_a_version_has_the_tags_of_its_group(aws: Aws, register: Any, group: str) -> None:
    with pytest.raises(ClientError, match="Tags cannot be given with ModelPackageGroupName"):
        register(Tags=[{"Key": "a", "Value": "b"}])
    tags = aws.client("sagemaker").list_tags(ResourceArn=register())["Tags"]
    assert tags == [{"Key": "slipway:stack", "Value": group}]


def test_what_does_not_exist_cannot_be_registered(aws: Aws, register: Any, image: str, model_data: str) -> None:
    def specification(image: str, data: str) -> dict[str, Any]:
        return {"InferenceSpecification": {"Containers": [{"Image": image, "ModelDataUrl": data}]}}

    with pytest.raises(ClientError, match="Could not find model data"):
        register(**specification(image, f"s3://{aws.bucket}/nothing.tar.gz"))
    with pytest.raises(ClientError, match=r"Requested image .* not found"):
        register(**specification(image.replace(":v1", ":v2"), model_data))
    assert register(**specification(image, "s3://nowhere/x.tar.gz"), SkipModelValidation="All").endswith("/1")


def test_only_an_approved_version_becomes_a_model_that_serves(aws: Aws, register: Any) -> None:
    sagemaker, arn, name = aws.client("sagemaker"), register(), unique("model")

    def create() -> None:
        container = {"ModelPackageName": arn, "Environment": {"EXTRA": "1"}}
        sagemaker.create_model(ModelName=name, Containers=[container], ExecutionRoleArn=aws.role)

    with pytest.raises(ClientError, match=r"ValidationException.*PendingManualApproval; it must be Approved"):
        create()
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    create()
    described = sagemaker.describe_model(ModelName=name)["Containers"]
    assert described == [{"ModelPackageName": arn, "Environment": {"EXTRA": "1"}}]
    variant = {"VariantName": "main", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    endpoint = aws.endpoint(name)
    assert aws.settled(endpoint)["EndpointStatus"] == "InService"
    answer = aws.invoke(endpoint)
    assert (answer["model"], answer["name"]) == (["weights"], "of the package")
    sagemaker.delete_endpoint(EndpointName=endpoint)


def test_the_same_client_token_registers_once(aws: Aws, register: Any) -> None:
    token = uuid.uuid4().hex
    assert register(ClientToken=token) == register(ClientToken=token)
