"""Removing what was left, without Pulumi: in an order in which nothing holds anything back, each thing for itself.

First what could start something again, then what costs by the hour, then what these used. A thing that cannot be
removed is reported and the others go; as long as a pass removes something, what failed gets another one, because
something may have held it (a network interface, a key in use).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from slipway.errors import SlipwayError
from slipway.leaks import Leftover
from slipway.project import Stack
from slipway.searches import account_of
from slipway.teardown import network
from slipway.teardown.arns import is_gone, last_part
from slipway.teardown.contents import empty_bucket, empty_repository
from slipway.teardown.jobs import KINDS, Job, settle_endpoints, stop_jobs

KEY_DELETION_DAYS = 7  # the least that KMS takes; a key that waits bills nothing
SECRET_RECOVERY_DAYS = 7
DELETION_SECONDS = 15 * 60
POLL_SECONDS = 0.2
Show = Callable[[str], None]
Remove = Callable[[Stack, str, Show], object]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What could not be removed, and AWS's reason."""

    leftover: Leftover
    reason: str


def _call(service: str, operation: str, argument: str) -> Remove:
    """The ordinary case: one call with one argument."""
    return lambda stack, name, show: getattr(stack.client(service), operation)(**{argument: name})


def _job(call: str) -> Remove:
    kind = next(kind for kind in KINDS if kind.call == call)

    def remove(stack: Stack, name: str, show: Show) -> None:
        stop_jobs(stack, [Job(kind=kind, name=name)], show)
        if delete := getattr(stack.client("sagemaker"), f"delete_{call}_job", None):  # others stay, ended and free
            delete(**{kind.name: name})

    return remove


def _endpoint(stack: Stack, name: str, show: Show) -> None:
    settle_endpoints(stack, show)
    stack.client("sagemaker").delete_endpoint(EndpointName=name)
    until_gone(lambda: stack.client("sagemaker").describe_endpoint(EndpointName=name), f"endpoint {name}", show)


def until_gone(describe: Callable[[], object], words: str, show: Show) -> None:
    """Wait until the describing call says that it is not there. Raises SlipwayError when that takes too long."""
    deadline = time.monotonic() + DELETION_SECONDS
    while True:
        try:
            describe()
        except ClientError as error:
            if is_gone(error):
                return
            raise
        if time.monotonic() > deadline:
            raise SlipwayError(
                f"{words} is still being deleted after {DELETION_SECONDS // 60} min; run this again later"
            )
        show(f"waiting for AWS to delete {words}")
        time.sleep(POLL_SECONDS)


def _scalable_target(stack: Stack, resource: str, show: Show) -> None:
    """Its policies, scheduled actions and alarms go with it."""
    scaling = stack.client("application-autoscaling")
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])["ScalableTargets"]
    for target in found:
        dimension = target["ScalableDimension"]
        scaling.deregister_scalable_target(
            ServiceNamespace="sagemaker", ResourceId=resource, ScalableDimension=dimension
        )


def _schedule(stack: Stack, identity: str, show: Show) -> None:
    group, _, name = identity.partition("/")
    stack.client("scheduler").delete_schedule(GroupName=group, Name=name)


def _event_rule(stack: Stack, name: str, show: Show) -> None:
    events = stack.client("events")
    if targets := [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]:
        events.remove_targets(Rule=name, Ids=targets)
    events.delete_rule(Name=name)


def _bucket(stack: Stack, name: str, show: Show) -> None:
    empty_bucket(stack, name, show)
    stack.client("s3").delete_bucket(Bucket=name)


def _repository(stack: Stack, name: str, show: Show) -> None:
    empty_repository(stack, name, show)
    stack.client("ecr").delete_repository(repositoryName=name, force=True)


def _role(stack: Stack, name: str, show: Show) -> None:
    iam = stack.client("iam")
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=inline)
    for profile in iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"]:
        iam.remove_role_from_instance_profile(RoleName=name, InstanceProfileName=profile["InstanceProfileName"])
    iam.delete_role(RoleName=name)


def _policy(stack: Stack, arn: str, show: Show) -> None:
    iam = stack.client("iam")
    for role in iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Role")["PolicyRoles"]:
        iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)


def _key(stack: Stack, key: str, show: Show) -> None:
    stack.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=KEY_DELETION_DAYS)


def _secret(stack: Stack, name: str, show: Show) -> None:
    stack.client("secretsmanager").delete_secret(SecretId=name, RecoveryWindowInDays=SECRET_RECOVERY_DAYS)


def _budget(stack: Stack, name: str, show: Show) -> None:
    stack.client("budgets").delete_budget(AccountId=account_of(stack), BudgetName=name)


REMOVERS: dict[str, Remove] = {
    "schedule": _schedule,
    "schedule group": _call("scheduler", "delete_schedule_group", "Name"),
    "event rule": _event_rule,
    "subscription": _call("sns", "unsubscribe", "SubscriptionArn"),
    "function": _call("lambda", "delete_function", "FunctionName"),
    "budget": _budget,
    "tuning job": _job("hyper_parameter_tuning"),
    "training job": _job("training"),
    "transform job": _job("transform"),
    "processing job": _job("processing"),
    "scalable target": _scalable_target,
    "endpoint": _endpoint,
    "endpoint configuration": _call("sagemaker", "delete_endpoint_config", "EndpointConfigName"),
    "model": _call("sagemaker", "delete_model", "ModelName"),
    "nat gateway": network.nat_gateway,
    "elastic ip": _call("ec2", "release_address", "AllocationId"),
    "vpc endpoint": network.vpc_endpoint,
    "dashboard": lambda stack, name, show: stack.client("cloudwatch").delete_dashboards(DashboardNames=[name]),
    "alarm": lambda stack, name, show: stack.client("cloudwatch").delete_alarms(AlarmNames=[name]),
    "topic": _call("sns", "delete_topic", "TopicArn"),
    "build project": _call("codebuild", "delete_project", "name"),
    "image repository": _repository,
    "trail": _call("cloudtrail", "delete_trail", "Name"),
    "bucket": _bucket,
    "log group": _call("logs", "delete_log_group", "logGroupName"),
    "secret": _secret,
    "network interface": network.interface,
    "security group": network.security_group,
    "route table": network.route_table,
    "subnet": _call("ec2", "delete_subnet", "SubnetId"),
    "vpc": _call("ec2", "delete_vpc", "VpcId"),
    "key alias": lambda stack, name, show: stack.client("kms").delete_alias(AliasName=name),
    "encryption key": _key,
    "role": _role,
    "managed policy": _policy,
    "identity provider": _call("iam", "delete_open_id_connect_provider", "OpenIDConnectProviderArn"),
}
"""In the order of removal."""


def in_order(leftovers: Sequence[Leftover]) -> list[Leftover]:
    """By the order of removal; kinds that nobody here can remove last."""
    order = list(REMOVERS)
    return sorted(leftovers, key=lambda one: (order.index(one.kind) if one.kind in order else len(order), one))


def remove_all(stack: Stack, leftovers: Sequence[Leftover], show: Show) -> list[Failure]:
    """Remove them all; returns those that AWS keeps, with its reasons."""
    left = in_order(leftovers)
    while True:
        failures = [failure for one in left if (failure := _remove(stack, one, show))]
        if not failures or len(failures) == len(left):
            return failures
        left = [failure.leftover for failure in failures]


def _remove(stack: Stack, one: Leftover, show: Show) -> Failure | None:
    show(f"{one.kind} {last_part(one.name)}")
    remove = REMOVERS.get(one.kind)
    if remove is None:
        return Failure(leftover=one, reason=f"slipway cannot remove a {one.kind}; remove it by hand")
    try:
        remove(stack, one.name, show)
    except ClientError as error:
        if not is_gone(error):
            return Failure(
                leftover=one, reason=f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
            )
    except SlipwayError as error:
        return Failure(leftover=one, reason=str(error))
    return None
