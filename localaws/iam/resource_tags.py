"""The tags of a resource, for the condition keys aws:ResourceTag/... of the services whose policies use them."""

from collections.abc import Callable, Mapping

from localaws.autoscaling import TargetTags
from localaws.cloud import Cloud, backend
from localaws.codebuild import Builds
from localaws.iam import policies
from localaws.sagemaker.state import SageMaker
from localaws.schedules.store import Schedules

Tags = Mapping[str, str]


def of(cloud: Cloud, arn: str) -> Tags:
    """The tags of an ARN's resource; none for what does not exist or is of another service."""
    parts = arn.split(":", 5)
    find = _FINDERS.get(parts[2]) if len(parts) == 6 else None
    return find(cloud, parts[3], arn) if find is not None else {}


def _sagemaker(cloud: Cloud, region: str, arn: str) -> Tags:
    return cloud.store(region, SageMaker).tags.get(arn, {})


def _role(cloud: Cloud, region: str, arn: str) -> Tags:
    found = policies.role(arn) if ":role/" in arn else None
    return {tag["Key"]: tag["Value"] for tag in found.tags or []} if found is not None else {}


def _repository(cloud: Cloud, region: str, arn: str) -> Tags:
    found: Tags = backend("ecr", region).tagger.get_tag_dict_for_resource(arn)
    return found


def _project(cloud: Cloud, region: str, arn: str) -> Tags:
    found = cloud.store(region, Builds).projects.get(arn.rsplit("project/", 1)[-1])
    return {tag["key"]: tag.get("value", "") for tag in found["tags"]} if found is not None else {}


def _function(cloud: Cloud, region: str, arn: str) -> Tags:
    found = backend("lambda", region).get_function_by_arn(arn)
    tags: Tags = found.tags if found is not None else {}
    return tags


def _schedule_group(cloud: Cloud, region: str, arn: str) -> Tags:
    found = cloud.store(region, Schedules).groups.get(arn.rsplit("schedule-group/", 1)[-1])
    return found.tags if found is not None else {}


def _key(cloud: Cloud, region: str, arn: str) -> Tags:
    found: Tags = backend("kms", region).tagger.get_tag_dict_for_resource(arn.rsplit("key/", 1)[-1])
    return found


def _scalable_target(cloud: Cloud, region: str, arn: str) -> Tags:
    return cloud.store(region, TargetTags).tags.get(arn, {})


_FINDERS: dict[str, Callable[[Cloud, str, str], Tags]] = {
    "sagemaker": _sagemaker,
    "iam": _role,
    "ecr": _repository,
    "codebuild": _project,
    "kms": _key,
    "lambda": _function,
    "scheduler": _schedule_group,
    "application-autoscaling": _scalable_target,
}
