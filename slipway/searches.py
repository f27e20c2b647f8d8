"""Where a stack can leave something: one search for each kind, in the order of what an hour of it costs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from slipway.project import Stack

LOG_GROUPS = {"/aws/codebuild/": "-build", "/aws/sagemaker/Endpoints/": "", "/aws/lambda/": "-guard"}
"""The beginning of a log group's name, then the stack's own, then this."""
BUILD = "-build"
TRACKING_ALARMS = "TargetTracking-endpoint/"  # made and deleted by Application Auto Scaling
RUNNING = ("InProgress", "Stopping")
LEAVING = ("deleting", "deleted")
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized")


class Thing(NamedTuple):
    """`name` tells whose it is; `identity` is what AWS's calls want: often the name again, else an id or an ARN."""

    name: str
    identity: str


Search = Callable[[Stack], Iterable[Thing]]


def pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    """The entries of a listing, of all its pages where it has several."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(key, [])
    else:
        yield from getattr(client, operation)(**arguments).get(key, [])


def own_tags(stack: Stack) -> dict[str, str]:
    """The tags that every resource of the stack carries and no other stack's does."""
    return {"slipway:project": stack.project, "slipway:stack": stack.name}


def has_own_tags(stack: Stack, tags: Iterable[dict[str, str]]) -> bool:
    """Whether these tags, as AWS lists them, are the stack's."""
    return own_tags(stack).items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()


def is_own_job(stack: Stack, arn: str) -> bool:
    """Whether a job of SageMaker's carries the stack's tags; one whose tags we may not see is another stack's."""
    try:
        return has_own_tags(stack, stack.client("sagemaker").list_tags(ResourceArn=arn)["Tags"])
    except ClientError as error:
        if error.response["Error"]["Code"] in (*DENIED, "ValidationException"):  # or it is gone
            return False
        raise


def _names(service: str, operation: str, key: str, name: str, identity: str = "", **arguments: Any) -> Search:
    """The ordinary case: a listing of the account with a name in each entry, or an ARN or alias that ends in one."""

    def find(stack: Stack) -> Iterator[Thing]:
        for entry in pages(stack.client(service), operation, key, **arguments):
            yield Thing(entry[name].rsplit(":", 1)[-1].removeprefix("alias/"), entry[identity or name])

    return find


def _prefixed(service: str, operation: str, key: str, name: str, prefix: str, **arguments: Any) -> Search:
    """A listing that takes the beginning of the name, in argument `prefix`."""

    def find(stack: Stack) -> Iterator[Thing]:
        for entry in pages(stack.client(service), operation, key, **{prefix: stack.prefix}, **arguments):
            yield Thing(entry[name], entry[name])

    return find


def _ec2(operation: str, key: str, identity: str, filters: str = "Filters") -> Search:
    """EC2's things have no names but a tag called Name."""

    def find(stack: Stack) -> Iterator[Thing]:
        wanted = [{"Name": "tag:Name", "Values": [f"{stack.prefix}*"]}]
        for entry in pages(stack.client("ec2"), operation, key, **{filters: wanted}):
            if str(entry.get("State")).lower() not in LEAVING:
                yield Thing(next(tag["Value"] for tag in entry["Tags"] if tag["Key"] == "Name"), entry[identity])

    return find


def _network_interfaces(stack: Stack) -> Iterator[Thing]:
    """What SageMaker's jobs left in the stack's own networks; those of VPC endpoints go with these."""
    ec2 = stack.client("ec2")
    named = [{"Name": "tag:Name", "Values": [stack.prefix]}]
    networks = [vpc["VpcId"] for vpc in pages(ec2, "describe_vpcs", "Vpcs", Filters=named)]
    if networks:
        inside = [{"Name": "vpc-id", "Values": networks}]
        for entry in pages(ec2, "describe_network_interfaces", "NetworkInterfaces", Filters=inside):
            if entry.get("InterfaceType") != "vpc_endpoint":
                yield Thing(stack.prefix, entry["NetworkInterfaceId"])


def _log_groups(stack: Stack) -> Iterator[Thing]:
    for group, end in LOG_GROUPS.items():
        prefix = group + stack.prefix
        for entry in pages(stack.client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            yield Thing(entry["logGroupName"].removeprefix(group).removesuffix(end), entry["logGroupName"])


def _scalable_targets(stack: Stack) -> Iterator[Thing]:
    found = pages(
        stack.client("application-autoscaling"),
        "describe_scalable_targets",
        "ScalableTargets",
        ServiceNamespace="sagemaker",
    )
    for entry in found:
        yield Thing(entry["ResourceId"].split("/")[1], entry["ResourceId"])


def _alarms(stack: Stack) -> Iterator[Thing]:
    cloudwatch = stack.client("cloudwatch")
    for prefix in ("", TRACKING_ALARMS):
        for entry in pages(cloudwatch, "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix + stack.prefix):
            name = entry["AlarmName"]
            yield Thing(name.removeprefix(TRACKING_ALARMS).split("/")[0] if prefix else name, name)


def _projects(stack: Stack) -> Iterator[Thing]:
    for name in pages(stack.client("codebuild"), "list_projects", "projects"):
        yield Thing(name.removesuffix(BUILD), name)


def _subscriptions(stack: Stack) -> Iterator[Thing]:
    """Those that somebody confirmed: the others have no ARN yet, and AWS forgets them."""
    for entry in pages(stack.client("sns"), "list_subscriptions", "Subscriptions"):
        if entry["SubscriptionArn"].startswith("arn:"):
            yield Thing(entry["TopicArn"].rsplit(":", 1)[-1], entry["SubscriptionArn"])


def _budgets(stack: Stack) -> Iterator[Thing]:
    account = account_of(stack)
    for entry in pages(stack.client("budgets"), "describe_budgets", "Budgets", AccountId=account):
        yield Thing(entry["BudgetName"], entry["BudgetName"])


def account_of(stack: Stack) -> str:
    """The number of the account that the stack's credentials are of."""
    return str(stack.client("sts").get_caller_identity()["Account"])


def _schedules(stack: Stack) -> Iterator[Thing]:
    for entry in pages(stack.client("scheduler"), "list_schedules", "Schedules", NamePrefix=stack.prefix):
        yield Thing(entry["Name"], f"{entry['GroupName']}/{entry['Name']}")


def _keys(stack: Stack) -> Iterator[Thing]:
    """Keys behind the stack's aliases, and keys without any alias that the program's description tells."""
    kms = stack.client("kms")
    aliases = list(pages(kms, "list_aliases", "Aliases"))
    named = {entry["TargetKeyId"]: entry["AliasName"].split("/")[-1] for entry in aliases if "TargetKeyId" in entry}
    for entry in pages(kms, "list_keys", "Keys"):
        name = named.get(entry["KeyId"])
        if name is None or name.startswith(stack.prefix):
            facts = kms.describe_key(KeyId=entry["KeyId"])["KeyMetadata"]
            described = stack.prefix if facts.get("Description", "").endswith(f" {stack.prefix} keeps") else ""
            if facts["KeyState"] != "PendingDeletion":
                yield Thing(name or described, entry["KeyId"])


def _running(kind: str, key: str, name: str) -> Search:
    """Jobs that bill now, of kinds that AWS keeps for ever once they have ended; by name or by their tags."""

    def find(stack: Stack) -> Iterator[Thing]:
        sagemaker = stack.client("sagemaker")
        for status in RUNNING:
            for entry in pages(sagemaker, f"list_{kind}_jobs", key, StatusEquals=status):
                own = is_own_job(stack, entry[f"{name.removesuffix('Name')}Arn"])
                yield Thing(stack.prefix if own else entry[name], entry[name])

    return find


def tuning_jobs(stack: Stack) -> Iterator[str]:
    """Tuning jobs, whose names are too short for the stack's own."""
    sagemaker = stack.client("sagemaker")
    for job in pages(sagemaker, "list_hyper_parameter_tuning_jobs", "HyperParameterTuningJobSummaries"):
        if is_own_job(stack, job["HyperParameterTuningJobArn"]):
            yield job["HyperParameterTuningJobName"]


def _oidc_providers(stack: Stack) -> Iterator[str]:
    iam = stack.client("iam")
    for entry in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        tags = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=entry["Arn"])["Tags"]
        if has_own_tags(stack, tags):
            yield entry["Arn"]


BY_NAME: dict[str, Search] = {
    "endpoint": _prefixed("sagemaker", "list_endpoints", "Endpoints", "EndpointName", "NameContains"),
    "training job": _prefixed(
        "sagemaker", "list_training_jobs", "TrainingJobSummaries", "TrainingJobName", "NameContains"
    ),
    "transform job": _running("transform", "TransformJobSummaries", "TransformJobName"),
    "processing job": _running("processing", "ProcessingJobSummaries", "ProcessingJobName"),
    "nat gateway": _ec2("describe_nat_gateways", "NatGateways", "NatGatewayId", "Filter"),
    "vpc endpoint": _ec2("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    "elastic ip": _ec2("describe_addresses", "Addresses", "AllocationId"),
    "scalable target": _scalable_targets,
    "dashboard": _prefixed("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName", "DashboardNamePrefix"),
    "encryption key": _keys,
    "key alias": _names("kms", "list_aliases", "Aliases", "AliasName"),
    "secret": _names("secretsmanager", "list_secrets", "SecretList", "Name"),
    "alarm": _alarms,
    "trail": _names("cloudtrail", "list_trails", "Trails", "Name", "TrailARN"),
    "schedule": _schedules,
    "schedule group": _prefixed("scheduler", "list_schedule_groups", "ScheduleGroups", "Name", "NamePrefix"),
    "event rule": _prefixed("events", "list_rules", "Rules", "Name", "NamePrefix"),
    "function": _names("lambda", "list_functions", "Functions", "FunctionName"),
    "budget": _budgets,
    "endpoint configuration": _prefixed(
        "sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", "NameContains"
    ),
    "model": _prefixed("sagemaker", "list_models", "Models", "ModelName", "NameContains"),
    "bucket": _names("s3", "list_buckets", "Buckets", "Name"),
    "image repository": _names("ecr", "describe_repositories", "repositories", "repositoryName"),
    "build project": _projects,
    "log group": _log_groups,
    "subscription": _subscriptions,
    "topic": _names("sns", "list_topics", "Topics", "TopicArn"),
    "network interface": _network_interfaces,
    "security group": _ec2("describe_security_groups", "SecurityGroups", "GroupId"),
    "route table": _ec2("describe_route_tables", "RouteTables", "RouteTableId"),
    "subnet": _ec2("describe_subnets", "Subnets", "SubnetId"),
    "vpc": _ec2("describe_vpcs", "Vpcs", "VpcId"),
    "role": _names("iam", "list_roles", "Roles", "RoleName"),
    "managed policy": _names("iam", "list_policies", "Policies", "PolicyName", "Arn", Scope="Local"),
}
BY_TAG: dict[str, Callable[[Stack], Iterable[str]]] = {
    "tuning job": tuning_jobs,
    "identity provider": _oidc_providers,
}
"""Kinds whose names do not tell whose they are, and which the tagging API does not list."""
