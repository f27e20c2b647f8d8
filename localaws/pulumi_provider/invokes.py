"""The functions (data sources) that programs call: who and where am I, and what is there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localaws.pulumi_provider import documents
from localaws.pulumi_provider.aws import Aws, call
from localaws.pulumi_provider.bind import SESSION, SESSION_LOCK
from localaws.pulumi_provider.scalars import nearest
from localaws.pulumi_provider.schema import Properties


@dataclass(frozen=True, kw_only=True)
class Invoke:
    """A function: its code, and the arguments that it takes."""

    run: Callable[[Aws, Properties], Properties]
    arguments: tuple[str, ...] = ()

    def __call__(self, aws: Aws, arguments: Properties) -> Properties:
        """The result. Raises ValueError for an argument that it does not take, and for something that is not there."""
        for name in arguments:
            if name not in self.arguments:
                raise ValueError(f"there is no argument {name!r}; {nearest(name, self.arguments)}")
        return self.run(aws, arguments)


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


def _availability_zones(aws: Aws, arguments: Properties) -> Properties:
    """Zones that this account may use, by name. Local zones only with `allAvailabilityZones`, as in EC2."""
    region = arguments.get("region") or aws.region
    wanted = [{"Name": item["name"], "Values": item["values"]} for item in arguments.get("filters") or []]
    if arguments.get("state"):
        wanted.append({"Name": "state", "Values": [arguments["state"]]})
    request = {"Filters": wanted, "AllAvailabilityZones": bool(arguments.get("allAvailabilityZones"))}
    answer = call(aws.client("ec2", region), "DescribeAvailabilityZones", request)
    zones = [
        zone
        for zone in sorted(answer["AvailabilityZones"], key=lambda zone: str(zone["ZoneName"]))
        if zone["ZoneName"] not in (arguments.get("excludeNames") or [])
        and zone.get("ZoneId") not in (arguments.get("excludeZoneIds") or [])
    ]
    return {
        **arguments,
        "groupNames": sorted({zone["GroupName"] for zone in zones if zone.get("GroupName")}),
        "id": region,
        "names": [zone["ZoneName"] for zone in zones],
        "region": region,
        "zoneIds": [zone["ZoneId"] for zone in zones],
    }


def _open_id_connect_provider(aws: Aws, arguments: Properties) -> Properties:
    """An identity provider by ARN or address. One that is not there is an error, as with the real provider."""
    client = aws.client("iam", aws.region)
    arn = arguments.get("arn")
    if arn is None:
        if arguments.get("url") is None:
            raise ValueError("one of 'arn' and 'url' is required; set one")
        listed = call(client, "ListOpenIDConnectProviders", {})["OpenIDConnectProviderList"]
        found = (item["Arn"] for item in listed)
        arn = next(
            (item for item in found if documents.same_address(item.partition("/")[2], arguments["url"])),
            None,
        )
    if arn is None:
        raise ValueError(f"there is no IAM OIDC provider with the url {arguments['url']!r}; create it first")
    provider = call(client, "GetOpenIDConnectProvider", {"OpenIDConnectProviderArn": arn})
    return {
        "arn": arn,
        "clientIdLists": provider.get("ClientIDList", []),
        "id": arn,
        "tags": {tag["Key"]: tag["Value"] for tag in provider.get("Tags", [])},
        "thumbprintLists": provider.get("ThumbprintList", []),
        "url": provider["Url"],
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
    "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider": Invoke(
        run=_open_id_connect_provider, arguments=("arn", "tags", "url")
    ),
    "aws:index/getAvailabilityZones:getAvailabilityZones": Invoke(
        run=_availability_zones,
        arguments=(
            "allAvailabilityZones",
            "excludeNames",
            "excludeZoneIds",
            "filters",
            "region",
            "state",
        ),
    ),
    "aws:index/getCallerIdentity:getCallerIdentity": Invoke(run=_caller_identity, arguments=("id",)),
    "aws:index/getPartition:getPartition": Invoke(run=_partition, arguments=("id",)),
    "aws:index/getRegion:getRegion": Invoke(run=_region, arguments=("id", "name", "region")),
}
