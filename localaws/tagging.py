"""Resource Groups Tagging API: moto's answer plus the resources that moto does not know or leaves out."""

from collections.abc import Iterator, Mapping
from typing import Any

from localaws.cloud import GLOBAL, Call, Handler, arn, backend
from localaws.codebuild import Builds
from localaws.paging import page
from localaws.sagemaker.state import SageMaker
from localaws.schedules.store import Schedules

DEFAULT_PAGE = 50
IAM_REGION = "us-east-1"  # where AWS lists what has no region


def _ours(call: Call) -> Iterator[tuple[str, Mapping[str, str]]]:
    yield from call.cloud.store(call.region, SageMaker).tags.items()
    for project in call.cloud.store(call.region, Builds).projects.values():
        yield project["arn"], {tag["key"]: tag.get("value", "") for tag in project["tags"]}
    ecr = backend("ecr", call.region)
    for repository in ecr.repositories.values():
        listed = ecr.tagger.list_tags_for_resource(repository.arn)["tags"]
        yield repository.arn, {tag["Key"]: tag["Value"] for tag in listed}
    for group in list(call.cloud.store(call.region, Schedules).groups.values()):
        yield group.arn, group.tags
    yield from _left_out_by_moto(call)


def _left_out_by_moto(call: Call) -> Iterator[tuple[str, Mapping[str, str]]]:
    trails = backend("cloudtrail", call.region)
    for trail in list(trails.trails.values()):
        yield trail.arn, trails.tagging_service.get_tag_dict_for_resource(trail.arn)
    ec2 = backend("ec2", call.region)
    for kind, identities in (("vpc-endpoint", list(ec2.vpc_end_points)), ("security-group-rule", _rules(ec2))):
        for identity in identities:
            yield arn("ec2", call.region, f"{kind}/{identity}"), dict(ec2.tags.get(identity, {}))
    if call.region == IAM_REGION:
        for provider in list(backend("iam", GLOBAL).open_id_providers.values()):
            yield provider.arn, {tag["Key"]: tag["Value"] for tag in provider.tag_list_type}


def _rules(ec2: Any) -> list[str]:
    groups = [group for vpc in list(ec2.groups.values()) for group in list(vpc.values())]
    return [rule.id for group in groups for rule in [*group.ingress_rules, *group.egress_rules]]


def _motos(call: Call) -> Iterator[tuple[str, Mapping[str, str]]]:
    token = None
    while True:
        token, found = backend("resourcegroupstaggingapi", call.region).get_resources(
            pagination_token=token, resources_per_page=100, tags_per_page=500
        )
        yield from ((resource.arn, resource.tags) for resource in found)
        if token is None:
            return


def _has_tags(tags: Mapping[str, str], filters: list[Mapping[str, Any]]) -> bool:
    return all(
        item["Key"] in tags and (not item.get("Values") or tags[item["Key"]] in item["Values"]) for item in filters
    )


def _has_type(arn: str, types: list[str]) -> bool:
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[5]
    kind = resource.replace(":", "/").split("/")[0]
    return not types or service in types or f"{service}:{kind}" in types


def get_resources(call: Call) -> Mapping[str, Any]:
    """moto's resources plus SageMaker, ECR, CodeBuild, Scheduler, trails, VPC endpoints, group rules, OIDC providers"""
    request = call.request
    wanted = request.get("ResourceARNList", [])
    everything = {**dict(_motos(call)), **dict(_ours(call))}
    found = [
        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for arn, tags in sorted(everything.items())
        if tags
        and (not wanted or arn in wanted)
        and _has_type(arn, request.get("ResourceTypeFilters", []))
        and _has_tags(tags, request.get("TagFilters", []))
    ]
    token = request.get("PaginationToken") or None
    shown, following = page(found, token, request.get("ResourcesPerPage", DEFAULT_PAGE))
    return {"ResourceTagMappingList": shown, "PaginationToken": following or ""}


OPERATIONS: dict[str, Handler] = {"GetResources": get_resources}
