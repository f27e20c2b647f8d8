"""CloudTrail rules that moto leaves out: unique names, deletion by ARN, one kind of selectors, the bucket's policy."""

import json
from typing import Any

from moto.cloudtrail.exceptions import TrailNotFoundException
from moto.cloudtrail.models import CloudTrailBackend, Trail
from moto.core.exceptions import JsonRESTError

from localaws.cloud import ACCOUNT, GLOBAL, backend

SERVICE = "cloudtrail.amazonaws.com"
_create, _update, _describe = CloudTrailBackend.create_trail, CloudTrailBackend.update_trail, Trail.description


def install() -> None:
    """Put the rules into moto's CloudTrail. Doing it twice does no harm."""
    CloudTrailBackend.create_trail = _create_trail
    CloudTrailBackend.update_trail = _update_trail
    CloudTrailBackend.delete_trail = _delete_trail
    Trail.put_event_selectors = _put_event_selectors
    Trail.description = _description


def _create_trail(self: CloudTrailBackend, name: str, bucket_name: str, s3_key_prefix: str, *rest: Any) -> Trail:
    if name in self.trails:
        raise JsonRESTError("TrailAlreadyExistsException", f"Trail {name} already exists for customer: {ACCOUNT}")
    _check_bucket(bucket_name, s3_key_prefix)
    return _create(self, name, bucket_name, s3_key_prefix, *rest)


def _update_trail(self: CloudTrailBackend, name: str, **changes: Any) -> Trail:
    trail = self.get_trail(name)
    bucket, prefix = changes.get("s3_bucket_name"), changes.get("s3_key_prefix")
    _check_bucket(bucket or trail.bucket_name, trail.s3_key_prefix if prefix is None else prefix)
    return _update(self, name=name, **changes)


def _delete_trail(self: CloudTrailBackend, name: str) -> None:
    """By name or ARN; moto ignores an ARN."""
    trail = self.get_trail(name)
    if trail.trail_name not in self.trails:
        raise TrailNotFoundException(account_id=self.account_id, name=name)
    del self.trails[trail.trail_name]
    self.tagging_service.delete_all_tags_for_resource(trail.arn)


def _put_event_selectors(
    self: Trail, event_selectors: list[dict[str, Any]], advanced_event_selectors: list[dict[str, Any]]
) -> None:
    """Basic selectors replace the advanced ones and the other way round."""
    self.event_selectors = event_selectors or []
    self.advanced_event_selectors = [] if event_selectors else advanced_event_selectors or []


def _description(self: Trail, include_region: bool = False) -> dict[str, Any]:
    """HomeRegion is there in every answer; moto never says that a trail has selectors of its own."""
    found: dict[str, Any] = _describe(self, include_region=True)
    custom = bool(self.event_selectors or self.advanced_event_selectors)
    return {**found, "HasCustomEventSelectors": custom, "HasInsightSelectors": bool(self.insight_selectors)}


def _check_bucket(name: str, prefix: str | None) -> None:
    """AWS writes to the bucket at once, so its policy must let CloudTrail in before the trail is made."""
    found = backend("s3", GLOBAL).buckets.get(name)
    if found is None:
        return  # moto refuses a bucket that does not exist in AWS's words
    key = "/".join(part for part in (prefix, "AWSLogs", ACCOUNT, "x") if part)
    needed = (("s3:GetBucketAcl", f"arn:aws:s3:::{name}"), ("s3:PutObject", f"arn:aws:s3:::{name}/{key}"))
    if not all(_allows(found.policy, action, resource) for action, resource in needed):
        raise JsonRESTError(
            "InsufficientS3BucketPolicyException", f"Incorrect S3 bucket policy is detected for bucket: {name}"
        )


def _allows(policy: Any, action: str, resource: str) -> bool:
    """Whether a statement names the service, the action and the resource; its conditions are not looked at."""
    statements = json.loads(policy)["Statement"] if policy else []
    return any(
        statement.get("Effect") == "Allow"
        and SERVICE in _list(statement.get("Principal", {}), "Service")
        and any(_matches(pattern.lower(), action.lower()) for pattern in _list(statement, "Action"))
        and any(_matches(pattern, resource) for pattern in _list(statement, "Resource"))
        for statement in (statements if isinstance(statements, list) else [statements])
    )


def _list(container: Any, name: str) -> list[str]:
    found = container.get(name, []) if isinstance(container, dict) else []
    return found if isinstance(found, list) else [found]


def _matches(pattern: str, value: str) -> bool:
    first, star, _ = pattern.partition("*")
    return value.startswith(first) if star else value == pattern
