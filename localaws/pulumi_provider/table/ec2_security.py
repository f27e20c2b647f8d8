"""Security groups and their rules, each rule a resource of its own."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.schema import AutoName, Hooks, Input, Look, Properties, Read, ResourceType, Step
from localaws.pulumi_provider.table.ec2 import BUSY, tag_style

ALL_PROTOCOLS = "-1"
# A rule's source or destination: property -> where a request of the Authorize operations has it.
_PEERS = {
    "cidrIpv4": ("IpRanges", "CidrIp"),
    "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListId": ("PrefixListIds", "PrefixListId"),
    "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}
_SETTINGS = {
    **{name: name[:1].upper() + name[1:] for name in ("cidrIpv4", "cidrIpv6", "description", "fromPort")},
    "ipProtocol": "IpProtocol",
    "prefixListId": "PrefixListId",
    "referencedSecurityGroupId": "ReferencedGroupId",
    "toPort": "ToPort",
}


def _revoke_default_egress(context: Context, properties: Properties) -> None:
    """A new group may send everything everywhere; the real provider takes that rule away, and so must this one."""
    everything = {"IpProtocol": ALL_PROTOCOLS, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    try:
        context.call("RevokeSecurityGroupEgress", {"GroupId": properties["id"], "IpPermissions": [everything]})
    except CallError as error:
        if not error.matches(("InvalidPermission.NotFound",)):
            raise


def _revoke_rules(context: Context, state: Properties) -> None:
    """Takes away the group's rules first, but only if the state says revokeRulesOnDelete."""
    if not state.get("revokeRulesOnDelete"):
        return
    wanted = [{"Name": "group-id", "Values": [state["id"]]}]
    rules = context.call("DescribeSecurityGroupRules", {"Filters": wanted}).get("SecurityGroupRules", [])
    for operation, egress in (("RevokeSecurityGroupIngress", False), ("RevokeSecurityGroupEgress", True)):
        ids = [rule["SecurityGroupRuleId"] for rule in rules if rule["IsEgress"] is egress]
        if ids:
            context.call(operation, {"GroupId": state["id"], "SecurityGroupRuleIds": ids})


def _permission(_context: Context, properties: Properties, request: dict[str, Any]) -> None:
    """The one rule in the form of the Authorize operations."""
    permission: dict[str, Any] = {"IpProtocol": properties["ipProtocol"]}
    for name, member in (("fromPort", "FromPort"), ("toPort", "ToPort")):
        if properties.get(name) is not None:
            permission[member] = properties[name]
    note = {"Description": properties["description"]} if properties.get("description") else {}
    for name, (members, member) in _PEERS.items():
        if properties.get(name) is not None:
            permission[members] = [{member: properties[name], **note}]
    request["GroupId"] = properties["securityGroupId"]
    request["IpPermissions"] = [permission]


def _modify(context: Context, properties: Properties) -> None:
    """Changes a rule in place. EC2 refuses another kind of source or destination."""
    rule = {member: properties[name] for name, member in _SETTINGS.items() if properties.get(name) is not None}
    changed = {"SecurityGroupRuleId": properties["securityGroupRuleId"], "SecurityGroupRule": rule}
    context.call(
        "ModifySecurityGroupRules", {"GroupId": properties["securityGroupId"], "SecurityGroupRules": [changed]}
    )


def _rule_state(context: Context, state: Properties, found: Mapping[str, Any]) -> None:
    """EC2 answers -1 for the ports of a rule for all protocols; pulumi-aws leaves them out."""
    if state["ipProtocol"] == ALL_PROTOCOLS:
        state.pop("fromPort", None)
        state.pop("toPort", None)
    account, rule = found["Group"]["SecurityGroups"][0]["OwnerId"], found["SecurityGroupRuleId"]
    state["arn"] = f"arn:aws:ec2:{context.region}:{account}:security-group-rule/{rule}"


def _revoke(operation: str, context: Context, state: Properties) -> None:
    rule = [state["securityGroupRuleId"]]
    context.call(operation, {"GroupId": state["securityGroupId"], "SecurityGroupRuleIds": rule})


SECURITY_GROUP = ResourceType(
    token="aws:ec2/securityGroup:SecurityGroup",
    service="ec2",
    create="CreateSecurityGroup",
    read=Read(operation="DescribeSecurityGroups", result="SecurityGroups[0]", key={"GroupIds": "id"}),
    delete="DeleteSecurityGroup",
    key={"GroupId": "id"},
    list_keys=("GroupIds", "Resources"),
    created={"id": "GroupId"},
    id="{id}",
    import_id=r"(?P<id>sg-\w+)",
    inputs={
        "name": Input(api="GroupName", replaces=True),
        "description": Input(default="Managed by Pulumi", replaces=True),
        "revokeRulesOnDelete": Input(local=True, kind="boolean", default=False),
        "vpcId": Input(replaces=True),
    },
    outputs={"ownerId": "OwnerId"},
    derived={"arn": "arn:aws:ec2:{region}:{ownerId}:security-group/{id}"},
    auto_name=AutoName(prefix_property="namePrefix", limit=255),
    tags=tag_style("security-group"),
    gone=("InvalidGroup.NotFound", "InvalidGroupId.NotFound"),
    busy=BUSY,
    hooks=Hooks(complete=_revoke_default_egress, before_delete=_revoke_rules),
    refused=("egress", "ingress"),
)


def _rule(direction: str) -> ResourceType:
    """Ingress and egress rules differ in the names of their operations only."""
    return ResourceType(
        token=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        service="ec2",
        create=f"AuthorizeSecurityGroup{direction}",
        read=Read(
            operation="DescribeSecurityGroupRules",
            result="SecurityGroupRules[0]",
            looks=(
                Look(
                    operation="DescribeSecurityGroups",
                    into="Group",
                    request=lambda known: {"GroupIds": [known["GroupId"]]},
                ),
            ),
        ),
        delete=None,
        key={"SecurityGroupRuleIds": "securityGroupRuleId"},
        list_keys=("Resources", "SecurityGroupRuleIds"),
        created={"securityGroupRuleId": "SecurityGroupRules[0].SecurityGroupRuleId"},
        id="{securityGroupRuleId}",
        import_id=r"(?P<securityGroupRuleId>sgr-\w+)",
        inputs={
            **{
                name: Input(
                    kind="integer" if name.endswith("Port") else "string",
                    read="ReferencedGroupInfo.GroupId" if member == "ReferencedGroupId" else member,
                    required=name == "ipProtocol",
                )
                for name, member in _SETTINGS.items()
            },
            "securityGroupId": Input(kind="string", read="GroupId", required=True, replaces=True),
        },
        outputs={"arn": "SecurityGroupRuleArn"},
        steps=(
            Step(
                operation="ModifySecurityGroupRules",
                act=_modify,
                properties=tuple(_SETTINGS),
                key={"GroupId": "securityGroupId"},
            ),
        ),
        tags=tag_style("security-group-rule", "securityGroupRuleId"),
        gone=(
            "InvalidGroup.NotFound",
            "InvalidPermission.NotFound",
            "InvalidSecurityGroupRuleId.NotFound",
        ),
        hooks=Hooks(
            prepare=_permission,
            after_read=_rule_state,
            before_delete=functools.partial(_revoke, f"RevokeSecurityGroup{direction}"),
        ),
    )


ROWS = (SECURITY_GROUP, _rule("Ingress"), _rule("Egress"))
