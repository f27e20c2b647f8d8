"""What else of a stack bills a month: what is kept, watched, built, and the private network."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal

from slipway.cost.amounts import ZERO, Span
from slipway.cost.asking import Asking
from slipway.cost.lines import Line
from slipway.cost.planned import Resource

REPOSITORY_POLICY = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
DATA_BUCKET = "-data"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
KEPT = "S3 keeps objects until they are deleted; checkpoints and old versions expire"
BUILD_SIZES = {"BUILD_GENERAL1_SMALL": "small", "BUILD_GENERAL1_MEDIUM": "medium", "BUILD_GENERAL1_LARGE": "large"}
HIGH_RESOLUTION_SECONDS = 60


def bucket(one: Resource, asking: Asking) -> Iterable[Line]:
    """The data bucket; those of logs hold so little that they are part of its assumption."""
    if not one.name.endswith(DATA_BUCKET):
        return
    usage = asking.usage
    why = asking.assumed("bucket_gb")
    lower = "slipway:storage.checkpoint_days, .old_version_days"
    yield asking.line(
        one, "data bucket: objects", "S3:Storage", usage.bucket_gb * usage.months, f"{why}; {KEPT}", lower
    )
    for key, name in (("S3:Put", "bucket_puts_a_month"), ("S3:Get", "bucket_gets_a_month")):
        yield asking.line(
            one, f"data bucket: {key[3:].upper()} requests", key, getattr(usage, name), asking.assumed(name), ""
        )


def repository(one: Resource, asking: Asking) -> Iterable[Line]:
    most = _images_kept(asking)
    images = asking.usage.images_kept or Span.of(1, min(Decimal(3), most), most)
    gigabytes = asking.usage.image_gb * images
    why = f"{asking.assumed('image_gb')}, the newest {most} images are kept; layers that they share count once"
    yield asking.line(
        one, "images in ECR", "ECR:Storage", gigabytes * asking.usage.months, why, "fewer changes of the code"
    )


def _images_kept(asking: Asking) -> Decimal:
    for policy in asking.plan.of(REPOSITORY_POLICY):
        try:
            rules = json.loads(policy.get("policy", default="{}")).get("rules", [])
        except ValueError:
            continue
        counts = [rule["selection"]["countNumber"] for rule in rules if "countNumber" in rule.get("selection", {})]
        if counts:
            return Decimal(max(counts))
    return Decimal(10)


def build(one: Resource, asking: Asking) -> Iterable[Line]:
    kind = str(one.get("environment", "computeType", default="BUILD_GENERAL1_SMALL"))
    longest = Decimal(one.get("buildTimeout", default=60))
    minutes = asking.usage.minutes_a_build or Span.of(min(Decimal(3), longest), min(Decimal(10), longest), longest)
    each = f"{minutes.expected.normalize():f} minutes each; worst: the limit, {longest}"
    why = f"{asking.assumed('builds_a_month')}, {each}"
    key = f"CodeBuild:general1.{BUILD_SIZES.get(kind, kind)}"
    yield asking.line(
        one, f"builds, {kind}", key, asking.usage.builds_a_month * minutes, why, "slipway:image (your own)"
    )


def log_group(one: Resource, asking: Asking) -> Iterable[Line]:
    """What the endpoint's group takes in; groups of builds hold a few kB."""
    if "Endpoints" not in str(one.get("name", default="")):
        return
    usage, days = asking.usage, Decimal(one.get("retentionInDays", default=0))
    taken = usage.log_gb_a_month
    yield asking.line(
        one, "log lines taken in", "Logs:Ingest", taken, asking.assumed("log_gb_a_month"), "fewer log lines"
    )
    kept = Span(low=ZERO, expected=taken.expected / 2, worst=taken.worst) * usage.months
    why = f"of the first month, kept {days} days" if days else "of the first month, kept for ever"
    yield asking.line(one, "log lines kept", "Logs:Storage", kept, why, "slipway:log_retention_days")


def alarm(one: Resource, asking: Asking) -> Iterable[Line]:
    """An alarm counts each metric in it, an expression none."""
    queries = one.get("metricQueries", default=[])
    metrics = [query for query in queries if query.get("metric")]
    fast = min([one.get("period", default=60), *(query["metric"].get("period", 60) for query in metrics)])
    key = "CloudWatch:HighResolutionAlarm" if fast < HIGH_RESOLUTION_SECONDS else "CloudWatch:Alarm"
    count = len(metrics) or 1
    yield asking.line(
        one,
        f"alarm over {count} metric(s)",
        key,
        Span.of(count) * asking.usage.months,
        "all month; each metric of an expression counts",
        "slipway:monitoring.alarms",
    )


def dashboard(one: Resource, asking: Asking) -> Iterable[Line]:
    why = "all month; the account's first three are free, which is not subtracted"
    quantity = Span.of(1) * asking.usage.months
    yield asking.line(one, "dashboard", "CloudWatch:Dashboard", quantity, why, "slipway:monitoring.alarms")


def topic(one: Resource, asking: Asking) -> Iterable[Line]:
    sent = asking.usage.notifications_a_month
    why = asking.assumed("notifications_a_month")
    yield asking.line(one, "topic: messages", "SNS:Publish", sent, why, "fewer alarms")


def subscription(one: Resource, asking: Asking) -> Iterable[Line]:
    if one.get("protocol") == "email":
        why = asking.assumed("notifications_a_month")
        sent = asking.usage.notifications_a_month
        yield asking.line(one, "topic: mails", "SNS:Email", sent, why, "slipway:monitoring.emails")


def key(one: Resource, asking: Asking) -> Iterable[Line]:
    quantity = Span.of(1) * asking.usage.months
    yield asking.line(
        one, "encryption key", "KMS:Key", quantity, "all month; more after each yearly turn", "slipway:storage.kms_key"
    )
    sent = asking.usage.key_requests_a_month
    yield asking.line(one, "encryption key: requests", "KMS:Request", sent, asking.assumed("key_requests_a_month"), "")


def trail(one: Resource, asking: Asking) -> Iterable[Line]:
    events = asking.usage.bucket_events_a_month
    why = asking.assumed("bucket_events_a_month")
    yield asking.line(
        one, "audit trail: data events", "CloudTrail:DataEvent", events, why, "slipway:storage.audit_events"
    )


def vpc_endpoint(one: Resource, asking: Asking) -> Iterator[Line]:
    """Interface endpoints pay by the hour and zone; S3's gateway is free."""
    if one.get("vpcEndpointType") != "Interface":
        return
    zones = len(one.get("subnetIds", default=[])) or 1
    why = f"all month in {zones} zone(s)"
    hours = Span.of(zones) * asking.usage.hours
    yield asking.line(
        one,
        f"interface endpoint in {zones} zone(s)",
        "EC2:InterfaceEndpoint",
        hours,
        why,
        "slipway:network.private, .zones",
    )


def vpc(one: Resource, asking: Asking) -> Iterator[Line]:
    """The data through all its interface endpoints together."""
    if asking.plan.of("aws:ec2/vpcEndpoint:VpcEndpoint"):
        gigabytes, why = asking.usage.private_gb_a_month, asking.assumed("private_gb_a_month")
        yield asking.line(
            one, "data through interface endpoints", "EC2:InterfaceEndpointData", gigabytes, why, "smaller images"
        )


def secret(one: Resource, asking: Asking) -> Iterable[Line]:
    yield asking.line(one, "secret kept", "SecretsManager:Secret", Span.of(1) * asking.usage.months, "all month", "")
