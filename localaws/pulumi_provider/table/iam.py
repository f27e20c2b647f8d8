"""IAM roles and their policies."""

from __future__ import annotations

from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import (
    AutoName,
    Form,
    Hooks,
    Input,
    Look,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
)

GONE = ("NoSuchEntity", "NoSuchEntityException")
SESSION_SECONDS = 3600  # IAM's default for a role's longest session


def _detach_policies(context: Context, state: Properties) -> None:
    """Takes away what would stop the deletion, but only from a role whose state says forceDetachPolicies."""
    if not state.get("forceDetachPolicies"):
        return
    role = {"RoleName": state["name"]}
    for attached in context.call("ListAttachedRolePolicies", role).get("AttachedPolicies", []):
        context.call("DetachRolePolicy", {**role, "PolicyArn": attached["PolicyArn"]})
    for name in context.call("ListRolePolicies", role).get("PolicyNames", []):
        context.call("DeleteRolePolicy", {**role, "PolicyName": name})


def _create_date(_context: Context, state: Properties, found: object) -> None:
    state["createDate"] = state["createDate"].strftime("%Y-%m-%dT%H:%M:%SZ")


ROLE = ResourceType(
    token="aws:iam/role:Role",
    service="iam",
    create="CreateRole",
    read=Read(operation="GetRole", result="Role"),
    delete="DeleteRole",
    key={"RoleName": "name"},
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="RoleName", replaces=True),
        "assumeRolePolicy": Input(api="AssumeRolePolicyDocument", required=True, form=Form.JSON),
        "description": Input(cleared=""),
        "forceDetachPolicies": Input(local=True, kind="boolean", default=False),
        "maxSessionDuration": Input(default=SESSION_SECONDS),
        "path": Input(default="/", replaces=True),
        "permissionsBoundary": Input(read="PermissionsBoundary.PermissionsBoundaryArn"),
    },
    outputs={"arn": "Arn", "createDate": "CreateDate", "uniqueId": "RoleId"},
    steps=(
        Step(
            operation="UpdateAssumeRolePolicy",
            properties=("assumeRolePolicy",),
            params={"assumeRolePolicy": "PolicyDocument"},
        ),
        Step(operation="UpdateRole", properties=("description", "maxSessionDuration")),
        Step(
            operation="PutRolePermissionsBoundary",
            properties=("permissionsBoundary",),
            remove="DeleteRolePermissionsBoundary",
        ),
    ),
    auto_name=AutoName(prefix_property="namePrefix", limit=64),
    tags=TagStyle(key={"RoleName": "name"}, create="Tags", add="TagRole", remove="UntagRole"),
    gone=GONE,
    lagging=("MalformedPolicyDocument:Invalid principal",),
    regional=False,
    hooks=Hooks(after_read=_create_date, before_delete=_detach_policies),
    refused=("inlinePolicies", "managedPolicyArns"),
)

ROLE_POLICY = ResourceType(
    token="aws:iam/rolePolicy:RolePolicy",
    service="iam",
    create="PutRolePolicy",
    read=Read(operation="GetRolePolicy"),
    delete="DeleteRolePolicy",
    key={"RoleName": "role", "PolicyName": "name"},
    id="{role}:{name}",
    import_id=r"(?P<role>[^:]+):(?P<name>.+)",
    inputs={
        "name": Input(api="PolicyName", replaces=True),
        "role": Input(api="RoleName", required=True, replaces=True),
        "policy": Input(api="PolicyDocument", required=True, form=Form.JSON),
    },
    upsert=True,
    auto_name=AutoName(prefix_property="namePrefix", limit=128),
    gone=GONE,
    regional=False,
)

ROLE_POLICY_ATTACHMENT = ResourceType(
    token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    service="iam",
    create="AttachRolePolicy",
    read=Read(
        operation="ListAttachedRolePolicies",
        result="AttachedPolicies[?PolicyArn=='{policyArn}'] | [0]",
        key={"RoleName": "role"},
    ),
    delete="DetachRolePolicy",
    key={"RoleName": "role", "PolicyArn": "policyArn"},
    id="{role}/{policyArn}",
    import_id=r"(?P<role>[^/]+)/(?P<policyArn>.+)",
    inputs={
        "role": Input(api="RoleName", required=True, replaces=True),
        "policyArn": Input(required=True, replaces=True),
    },
    gone=GONE,
    regional=False,
)


def _delete_old_versions(context: Context, state: Properties) -> None:
    """IAM keeps five versions of a policy, and deletes none that has others than the default."""
    policy = {"PolicyArn": state["arn"]}
    for version in context.call("ListPolicyVersions", policy).get("Versions", []):
        if not version["IsDefaultVersion"]:
            context.call("DeletePolicyVersion", {**policy, "VersionId": version["VersionId"]})


POLICY = ResourceType(
    token="aws:iam/policy:Policy",
    service="iam",
    create="CreatePolicy",
    created={"arn": "Policy.Arn"},
    read=Read(
        operation="GetPolicy",
        result="Policy",
        looks=(
            Look(
                operation="GetPolicyVersion",
                into="Version",
                request=lambda known: {"PolicyArn": known["Arn"], "VersionId": known["DefaultVersionId"]},
            ),
        ),
    ),
    delete="DeletePolicy",
    key={"PolicyArn": "arn"},
    id="{arn}",
    import_id=r"(?P<arn>arn:.+)",
    inputs={
        "name": Input(api="PolicyName", replaces=True),
        "policy": Input(api="PolicyDocument", read="Version.PolicyVersion.Document", required=True, form=Form.JSON),
        "description": Input(replaces=True),
        "path": Input(default="/", replaces=True),
    },
    outputs={"arn": "Arn", "policyId": "PolicyId", "attachmentCount": "AttachmentCount"},
    volatile=("attachmentCount",),
    steps=(Step(operation="CreatePolicyVersion", properties=("policy",), constants={"SetAsDefault": True}),),
    auto_name=AutoName(prefix_property="namePrefix", limit=128),
    tags=TagStyle(key={"PolicyArn": "arn"}, create="Tags", add="TagPolicy", remove="UntagPolicy"),
    gone=GONE,
    lagging=("MalformedPolicyDocument:Invalid principal",),
    regional=False,
    hooks=Hooks(after_update=_delete_old_versions, before_delete=_delete_old_versions),
    refused=("delayAfterPolicyCreationInMs",),
)

ROWS = (ROLE, ROLE_POLICY, ROLE_POLICY_ATTACHMENT, POLICY)
