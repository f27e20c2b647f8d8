"""What bills by what it holds or how often it acts: buckets, images, logs, alarms, schedules, VPC endpoints."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from slipway.prices.book import HOURS_PER_MONTH
from slipway.project import Stack
from slipway.searches import pages
from slipway.teardown.rates import BYTES_PER_GB, rate

ENTRIES_LOOKED_AT = 100_000  # a bucket with more is priced by these, and says so
HIGH_RESOLUTION_SECONDS = 60  # alarms that look more often than once a minute
MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
Priced = tuple[Decimal, str]


def bucket(stack: Stack, name: str) -> Priced:
    """Every version of every object, and the parts of unfinished uploads: all of it bills, listed or not."""
    s3 = stack.client("s3")
    size = count = 0
    for entry in pages(s3, "list_object_versions", "Versions", Bucket=name):
        size, count = size + entry["Size"], count + 1
        if count == ENTRIES_LOOKED_AT:
            break
    for upload in pages(s3, "list_multipart_uploads", "Uploads", Bucket=name):
        where = {"Bucket": name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        size, count = size + sum(part["Size"] for part in pages(s3, "list_parts", "Parts", **where)), count + 1
    more = "at least " if count >= ENTRIES_LOOKED_AT else ""
    return _stored(stack, "S3:Storage", size, f"{more}{count} versions and unfinished uploads")


def repository(stack: Stack, name: str) -> Priced:
    """Each image's own size: layers that images share are billed once, so this is the most it can be."""
    images = list(pages(stack.client("ecr"), "describe_images", "imageDetails", repositoryName=name))
    return _stored(stack, "ECR:Storage", sum(one.get("imageSizeInBytes", 0) for one in images), f"{len(images)} images")


def log_group(stack: Stack, name: str) -> Priced:
    groups = stack.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    size = next((one.get("storedBytes", 0) for one in groups if one["logGroupName"] == name), 0)
    return _stored(stack, "Logs:Storage", size, "as of AWS's last count")


def _stored(stack: Stack, key: str, size: int, what: str) -> Priced:
    return rate(stack, key).usd * size / BYTES_PER_GB, f"{Decimal(size) / BYTES_PER_GB:.3f} GB, {what}"


def alarm(stack: Stack, name: str) -> Priced:
    """An alarm bills each metric that it looks at."""
    (found,) = stack.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"] or [{}]
    looked_at: list[Mapping[str, Any]] = [one["MetricStat"] for one in found.get("Metrics", []) if "MetricStat" in one]
    often = [one["Period"] for one in looked_at] or [found.get("Period", HIGH_RESOLUTION_SECONDS)]
    key = "CloudWatch:HighResolutionAlarm" if min(often) < HIGH_RESOLUTION_SECONDS else "CloudWatch:Alarm"
    return rate(stack, key).usd * len(often), f"{len(often)} metric{'s' * (len(often) > 1)}"


def schedule(stack: Stack, identity: str) -> Priced:
    """By its invocations; of a cron expression the most there can be, one a minute."""
    group, _, name = identity.partition("/")
    found = stack.client("scheduler").get_schedule(GroupName=group, Name=name)
    every = RATE.fullmatch(found["ScheduleExpression"])
    if found["State"] == "DISABLED":
        times, words = 0, "disabled"
    elif found["ScheduleExpression"].startswith("at("):
        times, words = 1, "once"
    elif every:
        times, words = HOURS_PER_MONTH * 60 // (int(every[1]) * MINUTES[every[2]]), found["ScheduleExpression"]
    else:
        times, words = HOURS_PER_MONTH * 60, f"at most: {found['ScheduleExpression']}"
    return rate(stack, "Scheduler:Invocation").usd * times, words


def vpc_endpoint(stack: Stack, identity: str) -> Priced:
    """An interface endpoint bills by the hour in each zone; a gateway endpoint nothing."""
    (found,) = stack.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[identity])["VpcEndpoints"] or [{}]
    if found.get("VpcEndpointType") != "Interface":
        return Decimal(0), "a gateway endpoint bills nothing"
    zones = len(found["SubnetIds"])
    return rate(stack, "EC2:InterfaceEndpoint").usd * zones * HOURS_PER_MONTH, f"{zones} zones, data not counted"
