"""The functions (data sources) that programs call: who and where am I."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from localaws.pulumi_provider.aws import Aws, call
from localaws.pulumi_provider.bind import SESSION, SESSION_LOCK
from localaws.pulumi_provider.schema import Properties

Invoke = Callable[[Aws, Properties], Properties]


def _caller_identity(aws: Aws, _arguments: Properties) -> Properties:
    identity = call(aws.client("sts", aws.region), "GetCallerIdentity", {})
    account = identity["Account"]
    return {"accountId": account, "arn": identity["Arn"], "id": account, "userId": identity["UserId"]}


def _region(aws: Aws, arguments: Properties) -> Properties:
    name = arguments.get("region") or arguments.get("name") or aws.region
    description = _description(name)
    return {
        "description": description,
        "endpoint": f"ec2.{name}.{_dns_suffix(name)}",
        "id": name,
        "name": name,
        "region": name,
    }


def _partition(aws: Aws, _arguments: Properties) -> Properties:
    partition = _partition_of(aws.region)
    suffix = _dns_suffix(aws.region)
    return {
        "dnsSuffix": suffix,
        "id": partition,
        "partition": partition,
        "reverseDnsPrefix": ".".join(reversed(suffix.split("."))),
    }


def _partition_of(region: str) -> str:
    with SESSION_LOCK:
        return str(SESSION.get_partition_for_region(region))


def _partition_data(region: str) -> Mapping[str, object]:
    """botocore's own table of partitions."""
    partition = _partition_of(region)
    with SESSION_LOCK:
        data = SESSION.get_component("data_loader").load_data("endpoints")
    return next(entry for entry in data["partitions"] if entry["partition"] == partition)


def _dns_suffix(region: str) -> str:
    return str(_partition_data(region)["dnsSuffix"])


def _description(region: str) -> str:
    regions = _partition_data(region)["regions"]
    assert isinstance(regions, Mapping)
    return str(regions.get(region, {}).get("description", region))


INVOKES: Mapping[str, Invoke] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
}
