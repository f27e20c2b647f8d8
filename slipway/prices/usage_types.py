"""What AWS's price list and its bills call the book's keys: service, usage type behind the region's prefix, unit.

Usage types begin with a prefix of the region (`USE1-`, `EU-`, none, or the region's own code), which says nothing here.
SageMaker's are those that public tools filter by; the other services' were not compared with an account's own answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

SAGEMAKER = "AmazonSageMaker"
PREFIX = r"(?:[A-Z]{2,4}\d?-|[a-z]{2}(?:-[a-z]+)+-\d-)?"
COMPONENTS = {"Train": "Training", "Host": "Hosting", "Tsform": "BatchTransform", "Processing": "Processing"}
BILLED_AS = {**COMPONENTS, "TrSpt": "Training", "AsyncInf": "Hosting"}
"""The words of bills: spot training and asynchronous endpoints have usage types of their own at the same rate."""
INSTANCE = re.compile(PREFIX + r"(\w+):(ml\.[\w.-]+)")
MEMORY = re.compile(PREFIX + r"(ServerlessInf:Mem|ProvisionedConcurrency:Usage|ProvisionedConcurrency:Mem)-(\d+)GB")
MEMORY_KEYS = {
    "ServerlessInf:Mem": "Serverless",
    "ProvisionedConcurrency:Usage": "ServerlessProvisioned",
    "ProvisionedConcurrency:Mem": "ServerlessProvisionedInference",
}
MB_PER_GB = 1024


@dataclass(frozen=True, kw_only=True)
class Item:
    """One of the book's keys outside of instances and memory sizes: where the price list has it."""

    key: str
    service: str
    usage_type: str
    unit: str
    spelled: tuple[str, ...]
    """The units that AWS may write for it, in lower case."""

    def is_it(self, usage_type: str) -> bool:
        return re.fullmatch(PREFIX + re.escape(self.usage_type), usage_type) is not None


GB_MONTH, GB, REQUESTS = ("gb-mo", "gb-month"), ("gb", "gigabytes"), ("requests", "request", "api requests", "count")
HOURS, SECONDS = ("hrs", "hours", "hour"), ("seconds", "second", "sec")


def _item(key: str, service: str, usage_type: str, unit: str, *spelled: str) -> Item:
    return Item(key=key, service=service, usage_type=usage_type, unit=unit, spelled=spelled)


ITEMS = (
    _item("Volume:Hosting", SAGEMAKER, "Host:VolumeUsage.gp2", "GB-month", *GB_MONTH),
    _item("Volume:Training", SAGEMAKER, "Train:VolumeUsage.gp2", "GB-month", *GB_MONTH),
    _item("Volume:Processing", SAGEMAKER, "Processing:VolumeUsage.gp2", "GB-month", *GB_MONTH),
    _item("Data:In", SAGEMAKER, "Hst:Data-Bytes-In", "GB", *GB),
    _item("Data:Out", SAGEMAKER, "Hst:Data-Bytes-Out", "GB", *GB),
    _item("S3:Storage", "AmazonS3", "TimedStorage-ByteHrs", "GB-month", *GB_MONTH),
    _item("S3:Put", "AmazonS3", "Requests-Tier1", "request", *REQUESTS),
    _item("S3:Get", "AmazonS3", "Requests-Tier2", "request", *REQUESTS),
    _item("Logs:Ingest", "AmazonCloudWatch", "DataProcessing-Bytes", "GB", *GB),
    _item("Logs:Storage", "AmazonCloudWatch", "TimedStorage-ByteHrs", "GB-month", *GB_MONTH),
    _item("CloudWatch:Alarm", "AmazonCloudWatch", "CW:AlarmMonitorUsage", "metric-month", "alarms"),
    _item(
        "CloudWatch:HighResolutionAlarm", "AmazonCloudWatch", "CW:HighResAlarmMonitorUsage", "metric-month", "alarms"
    ),
    _item("CloudWatch:Metric", "AmazonCloudWatch", "CW:MetricMonitorUsage", "metric-month", "metrics"),
    _item("CloudWatch:Dashboard", "AmazonCloudWatch", "DashboardsUsageHour", "dashboard-month", "dashboards", "month"),
    _item("ECR:Storage", "AmazonECR", "TimedStorage-ByteHrs", "GB-month", *GB_MONTH),
    _item("KMS:Key", "awskms", "KMS-Keys", "key-month", "keys", "per month", "month"),
    _item("KMS:Request", "awskms", "KMS-Requests", "request", *REQUESTS),
    _item("CodeBuild:general1.small", "CodeBuild", "Build-Min:Linux:g1.small", "minute", "minutes"),
    _item("CodeBuild:general1.medium", "CodeBuild", "Build-Min:Linux:g1.medium", "minute", "minutes"),
    _item("CodeBuild:general1.large", "CodeBuild", "Build-Min:Linux:g1.large", "minute", "minutes"),
    _item("Lambda:Request", "AWSLambda", "Request", "request", *REQUESTS),
    _item("Lambda:Duration", "AWSLambda", "Lambda-GB-Second", "GB-second", "lambda-gb-second", *SECONDS),
    _item("EC2:InterfaceEndpoint", "AmazonVPC", "VpcEndpoint-Hours", "hour", *HOURS),
    _item("EC2:InterfaceEndpointData", "AmazonVPC", "VpcEndpoint-Bytes", "GB", *GB),
    _item("EC2:NatGateway", "AmazonEC2", "NatGateway-Hours", "hour", *HOURS),
    _item("EC2:NatGatewayData", "AmazonEC2", "NatGateway-Bytes", "GB", *GB),
    _item("EC2:PublicIPv4", "AmazonVPC", "PublicIPv4:InUseAddress", "hour", *HOURS),
    _item("SNS:Publish", "AmazonSNS", "Requests-Tier1", "request", *REQUESTS),
    _item("SNS:Email", "AmazonSNS", "DeliveryAttempts-SMTP", "message", "notifications", "messages"),
    _item("Scheduler:Invocation", "AWSEvents", "ScheduledInvocation", "invocation", "invocations", "events"),
    _item(
        "SecretsManager:Secret", "AWSSecretsManager", "AWSSecretsManager-Secrets", "secret-month", "secrets", "month"
    ),
    _item("CloudTrail:DataEvent", "AWSCloudTrail", "DataEventsRecorded", "event", "events"),
    _item("Transfer:Internet", "AWSDataTransfer", "DataTransfer-Out-Bytes", "GB", *GB),
)
BILL_NAMES = {
    "Amazon SageMaker": SAGEMAKER,
    "Amazon Simple Storage Service": "AmazonS3",
    "AmazonCloudWatch": "AmazonCloudWatch",
    "Amazon EC2 Container Registry (ECR)": "AmazonECR",
    "AWS Key Management Service": "awskms",
    "AWS CodeBuild": "CodeBuild",
    "CodeBuild": "CodeBuild",
    "AWS Lambda": "AWSLambda",
    "Amazon Virtual Private Cloud": "AmazonVPC",
    "EC2 - Other": "AmazonEC2",
    "Amazon Simple Notification Service": "AmazonSNS",
    "CloudWatch Events": "AWSEvents",
    "AWS Secrets Manager": "AWSSecretsManager",
    "AWS CloudTrail": "AWSCloudTrail",
    "AWS Data Transfer": "AWSDataTransfer",
}
"""What the Cost Explorer calls a service: its code in the price list."""


def item_of(service: str, usage_type: str) -> Item | None:
    """The item that a row of the price list, or a line of a bill, is about; `service` is the price list's code."""
    return next((item for item in ITEMS if item.service == service and item.is_it(usage_type)), None)


def memory_key(usage_type: str) -> str | None:
    """`Serverless:2048` for the usage type of serverless endpoints of 2 GB."""
    found = MEMORY.fullmatch(usage_type)
    return f"{MEMORY_KEYS[found[1]]}:{int(found[2]) * MB_PER_GB}" if found else None


def billed_key(service: str, usage_type: str) -> str | None:
    """The book's key that a line of a bill is counted by; None for what the book does not have."""
    code = BILL_NAMES.get(service, service)
    if item := item_of(code, usage_type):
        return item.key
    if code != SAGEMAKER:
        return None
    instance = INSTANCE.fullmatch(usage_type)
    if instance and instance[1] in BILLED_AS:
        return f"{BILLED_AS[instance[1]]}:{instance[2]}"
    return memory_key(usage_type)


def services() -> Iterator[tuple[str, list[Item]]]:
    """The other services and their items."""
    for code in dict.fromkeys(item.service for item in ITEMS if item.service != SAGEMAKER):
        yield code, [item for item in ITEMS if item.service == code]
