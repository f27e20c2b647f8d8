"""The price book's keys as rows of AWS's price list, and back: one table for the Pricing API and for the bill.

Every row has the attributes `servicecode`, `servicename`, `locationType` ("AWS Region"), `location` (the region's
name), `regionCode`, `usagetype` and `operation`. Usage types begin with the region's prefix, `USE1-` or `EU-`; rows
marked `bare` leave it out in us-east-1 alone, and those marked `by_code` (KMS) have the region's code instead. By key,
T being an instance type and n a number of GB:

    Training:T and other components   ML Instance: component and platoinstancetype (the word before the colon),
                                      instanceName T, instanceType T-COMPONENT; usagetype Train:T, Host:T, Tsform:T,
                                      Processing:T; operation RunInstance; unit Hrs
    Serverless:MB                     ML Serverless: ServerlessInf:Mem-nGB; Seconds; 150000 free ones, then the price
    ServerlessProvisioned:MB          ProvisionedConcurrency:Usage-nGB; group ServerlessProvisionedConcurrency-Usage
    ServerlessProvisionedInference:MB ProvisionedConcurrency:Mem-nGB; group ServerlessProvisionedConcurrency-Duration
    Volume:C                          Storage: Host:VolumeUsage.gp2 and so on; volumeType "General Purpose-C",
                                      platoclassificationtype Host:VolumeUsage; operation CreateVolume-Gp2; GB-Mo
    Data:In, Data:Out                 ML Data: Hst:Data-Bytes-In, -Out; group Hosting:IN, :OUT; Invoke-Endpoint; GB
    all other keys                    one row each of the table `_FIXED`

SageMaker's rows are those that public tools filter by. Families, operations and units of the other services were not
compared with an account's own answer; their usage types are those that people find on their bills.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial

COMPONENTS = {"Training": "Train", "Hosting": "Host", "BatchTransform": "Tsform", "Processing": "Processing"}
ASYNC, SPOT = "AsyncInf", "TrSpt"
SERVICE_NAMES = {  # as the bill and the Cost Explorer spell them
    "AmazonSageMaker": "Amazon SageMaker",
    "AmazonS3": "Amazon Simple Storage Service",
    "AmazonCloudWatch": "AmazonCloudWatch",
    "AmazonECR": "Amazon EC2 Container Registry (ECR)",
    "awskms": "AWS Key Management Service",
    "CodeBuild": "AWS CodeBuild",
    "AWSLambda": "AWS Lambda",
    "AmazonVPC": "Amazon Virtual Private Cloud",
    "AmazonEC2": "EC2 - Other",
    "AmazonSNS": "Amazon Simple Notification Service",
    "AWSEvents": "CloudWatch Events",
    "AWSSecretsManager": "AWS Secrets Manager",
    "AWSCloudTrail": "AWS CloudTrail",
    "AWSDataTransfer": "AWS Data Transfer",
}
_PREFIXES = (
    *(("af-south-1", "AFS1"), ("ap-east-1", "APE1"), ("ap-northeast-1", "APN1"), ("ap-northeast-2", "APN2")),
    *(("ap-northeast-3", "APN3"), ("ap-south-1", "APS3"), ("ap-south-2", "APS5"), ("ap-southeast-1", "APS1")),
    *(("ap-southeast-2", "APS2"), ("ap-southeast-3", "APS4"), ("ap-southeast-4", "APS6"), ("ca-central-1", "CAN1")),
    *(("ca-west-1", "CAN2"), ("eu-central-1", "EUC1"), ("eu-central-2", "EUC2"), ("eu-north-1", "EUN1")),
    *(("eu-south-1", "EUS1"), ("eu-south-2", "EUS2"), ("eu-west-1", "EU"), ("eu-west-2", "EUW2")),
    *(("eu-west-3", "EUW3"), ("il-central-1", "ILC1"), ("me-central-1", "MEC1"), ("me-south-1", "MES1")),
    *(("sa-east-1", "SAE1"), ("us-east-1", "USE1"), ("us-east-2", "USE2"), ("us-west-1", "USW1")),
    ("us-west-2", "USW2"),
)
PREFIXES = dict(_PREFIXES)
BARE_REGION = "us-east-1"
MB_PER_GB = 1024


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one key is called in AWS's price list. `usage_type` lacks the region's prefix; `attributes` are the others.

    `bare`: no prefix in us-east-1. `by_code`: the region's code is the prefix.
    """

    service: str
    family: str
    usage_type: str
    unit: str
    operation: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    bare: bool = False
    by_code: bool = False

    def usage_type_in(self, region: str) -> str:
        if self.by_code:
            return f"{region}-{self.usage_type}"
        if self.bare and region == BARE_REGION:
            return self.usage_type
        return f"{PREFIXES.get(region, region)}-{self.usage_type}"


def _sagemaker(family: str, usage_type: str, unit: str, operation: str, **attributes: str) -> Row:
    return Row(
        service="AmazonSageMaker",
        family=family,
        usage_type=usage_type,
        unit=unit,
        operation=operation,
        attributes=attributes,
    )


def _volume(usage: str, component: str) -> Row:
    return _sagemaker(
        "Storage",
        f"{usage}:VolumeUsage.gp2",
        "GB-Mo",
        "CreateVolume-Gp2",
        volumeType=f"General Purpose-{component}",
        platoclassificationtype=f"{usage}:VolumeUsage",
    )


def _row(
    service: str, family: str, usage_type: str, unit: str, operation: str = "", *, bare: bool = False, **attributes: str
) -> Row:
    return Row(
        service=service,
        family=family,
        usage_type=usage_type,
        unit=unit,
        operation=operation,
        attributes=attributes,
        bare=bare,
    )


_bare = partial(_row, bare=True)
_s3, _lambda, _watch, _sns = (
    partial(_bare, name) for name in ("AmazonS3", "AWSLambda", "AmazonCloudWatch", "AmazonSNS")
)
_kms = partial(Row, service="awskms", by_code=True)
_TRAIL = "Management Tools - AWS CloudTrail Data Events Recorded"

_FIXED: dict[str, Row] = {
    "Volume:Hosting": _volume("Host", "Hosting"),
    "Volume:Training": _volume("Train", "Training"),
    "Volume:Processing": _volume("Processing", "Processing"),
    "Data:In": _sagemaker("ML Data", "Hst:Data-Bytes-In", "GB", "Invoke-Endpoint", group="Hosting:IN"),
    "Data:Out": _sagemaker("ML Data", "Hst:Data-Bytes-Out", "GB", "Invoke-Endpoint", group="Hosting:OUT"),
    "S3:Storage": _s3("Storage", "TimedStorage-ByteHrs", "GB-Mo", volumeType="Standard"),
    "S3:Put": _s3("API Request", "Requests-Tier1", "Requests", group="S3-API-Tier1"),
    "S3:Get": _s3("API Request", "Requests-Tier2", "Requests", group="S3-API-Tier2"),
    "Logs:Ingest": _row("AmazonCloudWatch", "Data Payload", "DataProcessing-Bytes", "GB", "PutLogEvents"),
    "Logs:Storage": _watch("Storage Snapshot", "TimedStorage-ByteHrs", "GB-Mo", "HourlyStorageMetering"),
    "CloudWatch:Alarm": _watch("Alarm", "CW:AlarmMonitorUsage", "Alarms", "Unknown"),
    "CloudWatch:HighResolutionAlarm": _watch("Alarm", "CW:HighResAlarmMonitorUsage", "Alarms", "Unknown"),
    "CloudWatch:Metric": _watch("Metric", "CW:MetricMonitorUsage", "Metrics", "MetricStorage"),
    "CloudWatch:Dashboard": _watch("Dashboard", "DashboardsUsageHour", "Dashboards", "DashboardHour"),
    "ECR:Storage": _bare("AmazonECR", "EC2 Container Registry", "TimedStorage-ByteHrs", "GB-Mo"),
    "KMS:Key": _kms(family="Encryption Key", usage_type="KMS-Keys", unit="Keys"),
    "KMS:Request": _kms(family="API Request", usage_type="KMS-Requests", unit="Requests"),
    "Lambda:Request": _lambda("Serverless", "Request", "Requests", group="AWS-Lambda-Requests"),
    "Lambda:Duration": _lambda("Serverless", "Lambda-GB-Second", "Lambda-GB-Second", group="AWS-Lambda-Duration"),
    "EC2:InterfaceEndpoint": _row("AmazonVPC", "VpcEndpoint", "VpcEndpoint-Hours", "Hrs", "VpcEndpoint"),
    "EC2:InterfaceEndpointData": _row("AmazonVPC", "VpcEndpoint", "VpcEndpoint-Bytes", "GB", "VpcEndpoint"),
    "EC2:NatGateway": _row("AmazonEC2", "NAT Gateway", "NatGateway-Hours", "Hrs", "NatGateway"),
    "EC2:NatGatewayData": _row("AmazonEC2", "NAT Gateway", "NatGateway-Bytes", "GB", "NatGateway"),
    "EC2:PublicIPv4": _row("AmazonVPC", "Public IPv4 Address", "PublicIPv4:InUseAddress", "Hrs"),
    "SNS:Publish": _sns("API Request", "Requests-Tier1", "Requests"),
    "SNS:Email": _sns("Message Delivery", "DeliveryAttempts-SMTP", "Notifications"),
    "Scheduler:Invocation": _row("AWSEvents", "EventBridge", "ScheduledInvocation", "Invocations"),
    "SecretsManager:Secret": _row("AWSSecretsManager", "Secret", "AWSSecretsManager-Secrets", "Secrets"),
    "CloudTrail:DataEvent": _row("AWSCloudTrail", _TRAIL, "DataEventsRecorded", "Events"),
    "Transfer:Internet": _bare(
        "AWSDataTransfer", "Data Transfer", "DataTransfer-Out-Bytes", "GB", transferType="AWS Outbound"
    ),
}


def instance_row(component: str, usage: str, instance_type: str) -> Row:
    """The row of an instance type in a component, for example ("Training", "Train", "ml.m5.xlarge")."""
    return _sagemaker(
        "ML Instance",
        f"{usage}:{instance_type}",
        "Hrs",
        "RunInstance",
        component=component,
        platoinstancetype=component,
        instanceName=instance_type,
        instanceType=f"{instance_type}-{component}",
    )


def _serverless(family: str, memory_mb: str) -> Row:
    size = f"{int(memory_mb) // MB_PER_GB}GB"
    usage_type, group = {
        "Serverless": (f"ServerlessInf:Mem-{size}", ""),
        "ServerlessProvisioned": (f"ProvisionedConcurrency:Usage-{size}", "Usage"),
        "ServerlessProvisionedInference": (f"ProvisionedConcurrency:Mem-{size}", "Duration"),
    }[family]
    more = {"group": f"ServerlessProvisionedConcurrency-{group}"} if group else {}
    return _sagemaker("ML Serverless", usage_type, "Seconds", "Invoke-Endpoint", memory=size, **more)


@cache
def row(key: str) -> Row:
    """What a key is called in AWS's price list. Raises ValueError for one of no known family."""
    family, _, name = key.partition(":")
    if key in _FIXED:
        return _FIXED[key]
    if family in COMPONENTS:
        return instance_row(family, COMPONENTS[family], name)
    if family.startswith("Serverless") and name.isdigit():
        return _serverless(family, name)
    if family == "CodeBuild" and name.startswith("general1."):
        size = name.removeprefix("general1.")
        return Row(service="CodeBuild", family="Compute", usage_type=f"Build-Min:Linux:g1.{size}", unit="Minutes")
    raise ValueError(f"no row of the price list is known for {key!r}")


_BY_USAGE_TYPE = {(found.service, found.usage_type): key for key, found in _FIXED.items()}
_BY_USAGE = {usage: component for component, usage in COMPONENTS.items()}
_MEMORY = {
    "ServerlessInf:Mem": "Serverless",
    "ProvisionedConcurrency:Usage": "ServerlessProvisioned",
    "ProvisionedConcurrency:Mem": "ServerlessProvisionedInference",
}
_SERVERLESS = re.compile(r"(ServerlessInf:Mem|ProvisionedConcurrency:Usage|ProvisionedConcurrency:Mem)-(\d+)GB")


def key_of(attributes: Mapping[str, str]) -> str | None:
    """The key that a row of the price list is the price of; None for rows that are none of ours.

    Skipped are rows of other places than regions, and rows of instances without a component or with another one.
    """
    if attributes.get("locationType") != "AWS Region":
        return None
    service, region = attributes.get("servicecode", ""), attributes.get("regionCode", "")
    prefix = region if service == "awskms" else PREFIXES.get(region, region)
    usage_type = attributes.get("usagetype", "").removeprefix(f"{prefix}-")
    if (service, usage_type) in _BY_USAGE_TYPE:
        return _BY_USAGE_TYPE[service, usage_type]
    usage, _, name = usage_type.partition(":")
    if service == "AmazonSageMaker" and usage in _BY_USAGE and attributes.get("component") == _BY_USAGE[usage]:
        return f"{_BY_USAGE[usage]}:{name}"
    memory = _SERVERLESS.fullmatch(usage_type) if service == "AmazonSageMaker" else None
    if memory is not None:
        return f"{_MEMORY[memory[1]]}:{int(memory[2]) * MB_PER_GB}"
    if service == "CodeBuild" and usage_type.startswith("Build-Min:Linux:g1."):
        return f"CodeBuild:general1.{usage_type.removeprefix('Build-Min:Linux:g1.')}"
    return None


def billed_usage_type(region: str, key: str, kind: str = "") -> str:
    """The usage type on the bill: spot training and asynchronous endpoints have their own."""
    found = row(key)
    family, _, name = key.partition(":")
    own = {("Training", "spot"): SPOT, ("Hosting", "async"): ASYNC}.get((family, kind))
    return instance_row(family, own, name).usage_type_in(region) if own else found.usage_type_in(region)
