"""Types of keys, trails, topics, networks and SageMaker against scripted answers: what the engine test cannot show."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.pulumi_provider import invokes, lifecycle, waiters
from localaws.pulumi_provider.aws import CallError
from localaws.pulumi_provider.diff import changes
from localaws.pulumi_provider.inputs import complete
from localaws.pulumi_provider.refresh import refreshed_inputs
from tests.unit.pulumi_provider.stub import row, scripted

ACCOUNT = "123456789012"
KEY = {"KeyId": "k"}
KEY_ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"
TUNING = {"HyperParameterTuningJobName": "t"}
GROUP = {"ModelPackageGroupName": "demo"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "FIRST_PAUSE_SECONDS", 0.0)


def found_key(state: str = "Enabled") -> dict[str, Any]:
    return {"KeyMetadata": {"KeyId": "k", "Arn": KEY_ARN, "Enabled": True, "KeyState": state}}


def read_key(script: Any, rotation: bool) -> None:
    script.answer("DescribeKey", KEY, found_key())
    script.answer("GetKeyPolicy", {**KEY, "PolicyName": "default"}, {"Policy": "{}"})
    script.answer("GetKeyRotationStatus", KEY, {"KeyRotationEnabled": rotation, "RotationPeriodInDays": 180})
    script.answer("ListResourceTags", KEY, {"Tags": []})


def test_a_key_gets_its_id_from_aws_and_its_rotation_after_creation() -> None:
    inputs = {"enableKeyRotation": True, "rotationPeriodInDays": 180, "isEnabled": True, "keyUsage": "ENCRYPT_DECRYPT"}
    with scripted("Key") as (context, script):
        script.answer("CreateKey", {"KeyUsage": "ENCRYPT_DECRYPT"}, found_key())
        script.answer("EnableKeyRotation", {**KEY, "RotationPeriodInDays": 180})
        read_key(script, rotation=True)
        resource_id, state = lifecycle.create(context, inputs)
    assert (resource_id, state["keyId"], state["arn"]) == ("k", "k", KEY_ARN)


def test_a_key_without_rotation_takes_one_call() -> None:
    with scripted("Key") as (context, script):
        script.answer("CreateKey", {}, found_key())
        read_key(script, rotation=False)
        lifecycle.create(context, {"enableKeyRotation": False, "isEnabled": True})


def test_a_key_whose_rotation_cannot_be_switched_on_is_kept_as_partly_created() -> None:
    with scripted("Key") as (context, script):
        script.answer("CreateKey", {}, found_key())
        script.fail("EnableKeyRotation", KEY, "AccessDeniedException", "no")
        with pytest.raises(lifecycle.PartlyCreatedError) as caught:
            lifecycle.create(context, {"enableKeyRotation": True, "isEnabled": True})
    assert (caught.value.resource_id, caught.value.state["keyId"]) == ("k", "k")
    assert "enableKeyRotation" not in caught.value.inputs


def test_a_disabled_key_is_enabled_before_other_changes_and_disabled_after_them() -> None:
    off, on = {"isEnabled": False, "description": "a"}, {"isEnabled": True, "description": "b"}
    for old, new, calls in (
        (off, on, (("EnableKey", KEY), ("UpdateKeyDescription", {**KEY, "Description": "b"}))),
        (on, off, (("UpdateKeyDescription", {**KEY, "Description": "a"}), ("DisableKey", KEY))),
    ):
        with scripted("Key") as (context, script):
            for operation, request in calls:
                script.answer(operation, request)
            read_key(script, rotation=False)
            lifecycle.update(context, old, {"keyId": "k", **old}, new)


def test_deleting_a_key_schedules_it_and_twice_is_fine() -> None:
    with scripted("Key") as (context, script):
        script.answer("ScheduleKeyDeletion", {**KEY, "PendingWindowInDays": 7})
        script.fail("ScheduleKeyDeletion", KEY, "KMSInvalidStateException", f"{KEY_ARN} is pending deletion.")
        lifecycle.delete(context, {"keyId": "k", "deletionWindowInDays": 7})
        lifecycle.delete(context, {"keyId": "k"})


def test_a_key_that_waits_for_its_deletion_is_gone() -> None:
    with scripted("Key") as (context, script):
        script.answer("DescribeKey", KEY, found_key("PendingDeletion"))
        assert lifecycle.read(context, {"keyId": "k"}) is None


def test_an_alias_has_its_own_name_and_knows_its_key_by_id_or_arn() -> None:
    entry = row("Alias")
    inputs, failures = complete(entry, "demo-dev", {}, {"targetKeyId": KEY_ARN}, {}, b"seed")
    assert failures == []
    assert inputs["name"].startswith("alias/demo-dev-")
    assert changes(entry, {"targetKeyId": KEY_ARN}, {"targetKeyId": "k"}) == []
    assert refreshed_inputs(entry, {"targetKeyId": KEY_ARN}, {"targetKeyId": "k"}) == {"targetKeyId": KEY_ARN}
    with scripted("Alias") as (context, script):
        script.answer("DescribeKey", {"KeyId": "alias/a"}, found_key())
        state = lifecycle.read(context, {"name": "alias/a"})
    assert state is not None
    assert (state["arn"], state["targetKeyArn"]) == (f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/a", KEY_ARN)


def test_a_trail_that_loses_its_selectors_goes_back_to_management_events() -> None:
    trail = {"Trail": {"Name": "t", "TrailARN": "arn:t", "S3BucketName": "b"}}
    default = {"ReadWriteType": "All", "IncludeManagementEvents": True}
    old = {
        "name": "t",
        "advancedEventSelectors": [{"fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}],
    }
    with scripted("Trail") as (context, script):
        script.answer("PutEventSelectors", {"TrailName": "t", "EventSelectors": [default]})
        script.answer("GetTrail", {"Name": "t"}, trail)
        script.answer("GetTrailStatus", {"Name": "t"}, {"IsLogging": True})
        script.answer("GetEventSelectors", {"TrailName": "t"}, {"EventSelectors": [default]})
        script.fail("GetInsightSelectors", {"TrailName": "t"}, "InsightNotEnabledException", "none")
        tags = [{"ResourceId": "arn:t", "TagsList": [{"Key": "a", "Value": "b"}]}]
        script.answer("ListTags", {"ResourceIdList": ["arn:t"]}, {"ResourceTagList": tags})
        state = lifecycle.update(context, old, {**old, "arn": "arn:t"}, {"name": "t"})
    assert (state["enableLogging"], state["tags"]) == (True, {"a": "b"})


def test_client_ids_of_an_identity_provider_are_added_and_removed_one_by_one() -> None:
    key = {"OpenIDConnectProviderArn": PROVIDER}
    listed = {"Url": "token.example.com", "ClientIDList": ["old", "kept"]}
    old = {"url": "https://token.example.com", "clientIdLists": ["old", "kept"]}
    new = {**old, "clientIdLists": ["kept", "new"]}
    with scripted("OpenIdConnectProvider") as (context, script):
        script.answer("GetOpenIDConnectProvider", key, listed)
        script.answer("AddClientIDToOpenIDConnectProvider", {**key, "ClientID": "new"})
        script.answer("RemoveClientIDFromOpenIDConnectProvider", {**key, "ClientID": "old"})
        script.answer("GetOpenIDConnectProvider", key, {**listed, "ClientIDList": ["kept", "new"]})
        state = lifecycle.update(context, old, {**old, "arn": PROVIDER}, new)
    assert state["url"] == "token.example.com"
    assert changes(row("OpenIdConnectProvider"), old, {**old, "url": "token.example.com"}) == []


def test_a_subscription_that_nobody_confirmed_can_be_given_up() -> None:
    with scripted("TopicSubscription") as (context, script):
        message = "Invalid parameter: Cannot unsubscribe a subscription that is pending confirmation"
        script.fail("Unsubscribe", {"SubscriptionArn": "arn:s"}, "InvalidParameter", message)
        lifecycle.delete(context, {"arn": "arn:s"})


def test_topic_attributes_are_texts_and_are_written_one_by_one() -> None:
    arn = {"TopicArn": "arn:aws:sns:us-east-1:1:t"}
    old = {"name": "t", "displayName": "a", "signatureVersion": 1}
    with scripted("Topic") as (context, script):
        script.answer("SetTopicAttributes", {**arn, "AttributeName": "DisplayName", "AttributeValue": ""})
        script.answer("SetTopicAttributes", {**arn, "AttributeName": "SignatureVersion", "AttributeValue": "2"})
        script.answer("GetTopicAttributes", arn, {"Attributes": {"SignatureVersion": "2", "DisplayName": ""}})
        script.answer("ListTagsForResource", {"ResourceArn": arn["TopicArn"]}, {"Tags": []})
        new = {"name": "t", "signatureVersion": 2}
        state = lifecycle.update(context, old, {**old, "arn": arn["TopicArn"]}, new)
    assert (state["name"], state["signatureVersion"]) == ("t", 2)


def test_an_endpoint_of_a_vpc_is_sent_differences() -> None:
    key = {"VpcEndpointIds": ["vpce-1"]}
    endpoint = {"VpcEndpointId": "vpce-1", "State": "available", "SubnetIds": ["a", "b"], "Groups": [{"GroupId": "g"}]}
    old = {"vpcEndpointType": "Interface", "subnetIds": ["a", "b"], "securityGroupIds": ["g"], "policy": "{}"}
    new = {"vpcEndpointType": "Interface", "subnetIds": ["b", "c"], "securityGroupIds": ["g"]}
    with scripted("VpcEndpoint") as (context, script):
        script.answer("DescribeVpcEndpoints", key, {"VpcEndpoints": [endpoint]})
        change = {"AddSubnetIds": ["c"], "RemoveSubnetIds": ["a"], "ResetPolicy": True}
        script.answer("ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", **change})
        for status in ("pending", "available", "available"):
            script.answer("DescribeVpcEndpoints", key, {"VpcEndpoints": [{**endpoint, "State": status}]})
        lifecycle.update(context, old, {**old, "id": "vpce-1", "ownerId": ACCOUNT}, new)


def test_a_group_in_use_is_deleted_once_its_user_is_gone() -> None:
    with scripted("SecurityGroup") as (context, script):
        script.fail("DeleteSecurityGroup", {"GroupId": "sg-1"}, "DependencyViolation", "has a dependent object")
        script.answer("DeleteSecurityGroup", {"GroupId": "sg-1"})
        lifecycle.delete(context, {"id": "sg-1"})


def test_a_group_that_stays_in_use_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "LAG_LIMIT_SECONDS", -1.0)
    with scripted("SecurityGroup") as (context, script):
        script.fail("DeleteSecurityGroup", {"GroupId": "sg-1"}, "DependencyViolation", "has a dependent object")
        with pytest.raises(CallError, match="DependencyViolation"):
            lifecycle.delete(context, {"id": "sg-1"})


def test_a_role_that_is_not_known_everywhere_yet_is_waited_for() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/new"
    request = {"ModelName": "m", "ExecutionRoleArn": role}
    with scripted("Model") as (context, script):
        script.fail("CreateModel", request, "ValidationException", f"Could not assume role {role}.")
        script.answer("CreateModel", request, {"ModelArn": "arn:aws:sagemaker:us-east-1:1:model/m"})
        model = {"ModelName": "m", "ModelArn": "arn:aws:sagemaker:us-east-1:1:model/m", "CreationTime": 0}
        script.answer("DescribeModel", {"ModelName": "m"}, model)
        script.answer("ListTags", {"ResourceArn": model["ModelArn"]}, {"Tags": []})
        assert lifecycle.create(context, {"name": "m", "executionRoleArn": role})[0] == "m"


def test_a_running_tuning_job_is_stopped_awaited_and_then_deleted() -> None:
    def job(status: str) -> dict[str, Any]:
        return {
            **TUNING,
            "HyperParameterTuningJobArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:hyper-parameter-tuning-job/t",
            "HyperParameterTuningJobConfig": {"Strategy": "Random", "ResourceLimits": {"MaxParallelTrainingJobs": 1}},
            "HyperParameterTuningJobStatus": status,
            "CreationTime": 0,
            "TrainingJobStatusCounters": {},
            "ObjectiveStatusCounters": {},
        }

    with scripted("HyperParameterTuningJob") as (context, script):
        script.answer("DescribeHyperParameterTuningJob", TUNING, job("InProgress"))
        script.answer("StopHyperParameterTuningJob", TUNING)
        for status in ("Stopping", "Stopped"):
            script.answer("DescribeHyperParameterTuningJob", TUNING, job(status))
        script.answer("DeleteHyperParameterTuningJob", TUNING)
        lifecycle.delete(context, {"name": "t"})


def test_every_input_of_a_tuning_job_replaces_it() -> None:
    assert {name for name, spec in row("HyperParameterTuningJob").inputs.items() if not spec.replaces} == {"timeouts"}


def test_a_model_package_group_is_awaited_and_one_with_packages_is_not_deleted() -> None:
    group = {
        **GROUP,
        "ModelPackageGroupArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/demo",
        "CreationTime": 0,
        "CreatedBy": {},
    }
    with scripted("ModelPackageGroup") as (context, script):
        script.answer("CreateModelPackageGroup", GROUP, {"ModelPackageGroupArn": group["ModelPackageGroupArn"]})
        for status in ("Pending", "Completed", "Completed"):
            script.answer("DescribeModelPackageGroup", GROUP, {**group, "ModelPackageGroupStatus": status})
        script.answer("ListTags", {"ResourceArn": group["ModelPackageGroupArn"]}, {"Tags": []})
        lifecycle.create(context, {"modelPackageGroupName": "demo"})
        script.fail("DeleteModelPackageGroup", GROUP, "ConflictException", "it holds model packages")
        with pytest.raises(CallError, match="ConflictException"):
            lifecycle.delete(context, {"modelPackageGroupName": "demo"})


def test_availability_zones_are_sorted_and_filtered() -> None:
    zones = [
        {"ZoneName": f"us-east-1{letter}", "ZoneId": f"use1-az{index}", "GroupName": "us-east-1"}
        for index, letter in enumerate("cab")
    ]
    with scripted("Vpc") as (context, script):
        filters = [{"Name": "state", "Values": ["available"]}]
        script.answer(
            "DescribeAvailabilityZones",
            {"Filters": filters, "AllAvailabilityZones": False},
            {"AvailabilityZones": zones},
        )
        token = "aws:index/getAvailabilityZones:getAvailabilityZones"
        found = invokes.INVOKES[token](context.aws, {"state": "available", "excludeNames": ["us-east-1b"]})
    assert (found["names"], found["zoneIds"]) == (["us-east-1a", "us-east-1c"], ["use1-az1", "use1-az0"])
    assert (found["groupNames"], found["id"]) == (["us-east-1"], "us-east-1")


def test_an_identity_provider_is_found_by_its_address_and_an_absent_one_is_an_error() -> None:
    function = invokes.INVOKES["aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider"]
    with scripted("OpenIdConnectProvider") as (context, script):
        listed = {"OpenIDConnectProviderList": [{"Arn": PROVIDER}]}
        script.answer("ListOpenIDConnectProviders", {}, listed)
        key = {"OpenIDConnectProviderArn": PROVIDER}
        script.answer("GetOpenIDConnectProvider", key, {"Url": "token.example.com", "ClientIDList": ["sts"]})
        found = function(context.aws, {"url": "https://token.example.com"})
        script.answer("ListOpenIDConnectProviders", {}, listed)
        with pytest.raises(ValueError, match=r"no IAM OIDC provider with the url 'https://other\.example\.com'"):
            function(context.aws, {"url": "https://other.example.com"})
    assert (found["arn"], found["clientIdLists"]) == (PROVIDER, ["sts"])
    with pytest.raises(ValueError, match="there is no argument 'ulr'; did you mean 'url'"):
        function(context.aws, {"ulr": "x"})
