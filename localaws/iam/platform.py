"""What SageMaker and CodeBuild do with a role: each step asks here first, as AWS does with the role's own keys.

    platform.require(cloud, role, "s3:GetObject", arn, region=region)

raises AccessError, whose text becomes the reason why the job, the endpoint or the build failed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localaws import ecr, logs, s3
from localaws.cloud import Cloud, arn, backend
from localaws.iam import judge, s3_keys
from localaws.iam.actions.ecr import PULL, PUSH
from localaws.iam.sessions import PREFIX, Session, sessions
from localaws.iam.statements import Ask
from localaws.processes import Sink

# Source: "Give SageMaker AI training jobs access to resources in your Amazon VPC".
NETWORK_CHANGES = ("CreateNetworkInterfacePermission", "DeleteNetworkInterface", "DeleteNetworkInterfacePermission")
NETWORK_READS = ("NetworkInterfaces", "Vpcs", "DhcpOptions", "Subnets", "SecurityGroups")


class AccessError(Exception):
    """The role may not; the text is AWS's sentence."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A service that acts as a role in a region; `session` is the session's name in AWS's sentences."""

    cloud: Cloud
    role: str
    region: str
    session: str = "SageMaker"

    def require(self, action: str, resource: str, **conditions: str) -> None:
        """See `require`; in conditions an underscore stands for the colon: `s3_prefix="data/"`."""
        keys = {name.replace("_", ":", 1): value for name, value in conditions.items()}
        require(self.cloud, self.role, action, resource, region=self.region, session=self.session, conditions=keys)

    def allows(self, action: str, resource: str, **conditions: str) -> bool:
        try:
            self.require(action, resource, **conditions)
        except AccessError:
            return False
        return True

    def read(self, objects: Iterable[tuple[str, str]]) -> None:
        """Reading objects, given as (bucket, key), and what they are encrypted with."""
        for bucket, key in objects:
            self.require("s3:GetObject", f"{s3_keys.bucket_arn(bucket)}/{key}")
            self._require_key("GetObject", bucket, key)

    def list(self, uri: str) -> None:
        """Listing what is below an s3:// address."""
        bucket, prefix = s3.split(uri)
        self.require("s3:ListBucket", s3_keys.bucket_arn(bucket), s3_prefix=prefix)

    def write(self, uri: str, kms_key: str = "") -> None:
        """Writing an object, and using the key that encrypts it."""
        bucket, key = s3.split(uri)
        self.require("s3:PutObject", f"{s3_keys.bucket_arn(bucket)}/{key}")
        self._require_key("PutObject", bucket, key, kms_key)

    def _require_key(self, action: str, bucket: str, key: str, kms_key: str = "") -> None:
        header = "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION"
        headers = {header: "aws:kms", f"{header}_AWS_KMS_KEY_ID": kms_key} if kms_key else {}
        for ask in s3_keys.key_asks(action, bucket, key, self.region, {}, headers):
            keys = {name: values[0] for name, values in ask.context.items() if values}
            require(
                self.cloud,
                self.role,
                ask.action,
                ask.resource,
                region=self.region,
                session=self.session,
                conditions=keys,
            )

    def pull(self, image: str) -> None:
        """Pulling an image of this account; images from elsewhere are not judged."""
        self._registry(image, PULL)

    def push(self, image: str) -> None:
        self._registry(image, (*PUSH, "BatchCheckLayerAvailability"))

    def _registry(self, image: str, actions: Iterable[str]) -> None:
        reference = ecr.own(image)
        if reference is None:
            return
        self.require("ecr:GetAuthorizationToken", "*")
        for action in actions:
            self.require(f"ecr:{action}", arn("ecr", reference.region, f"repository/{reference.repository}"))

    def log(self, group: str, stream: str) -> Sink:
        """Make a log stream and return what writes to it."""
        place = arn("logs", self.region, f"log-group:{group}:log-stream:")
        if group not in backend("logs", self.region).groups:
            self.require("logs:CreateLogGroup", place)
        self.require("logs:CreateLogStream", f"{place}{stream}")
        self.require("logs:PutLogEvents", f"{place}{stream}")
        return logs.stream(self.cloud, self.region, group, stream)

    def log_if_allowed(self, group: str, stream: str) -> Sink:
        """As `log`; without the permission SageMaker runs the container all the same, and nothing is logged."""
        try:
            return self.log(group, stream)
        except AccessError:
            return lambda lines: None

    def join(self, network: Mapping[str, Any]) -> None:
        """Making the network interfaces of a VpcConfig."""
        where = [f"subnet/{name}" for name in network["Subnets"]]
        where += [f"security-group/{name}" for name in network["SecurityGroupIds"]]
        vpc = arn("ec2", self.region, f"vpc/{_vpc_of(self.region, network['Subnets'][0])}")
        for resource in ("network-interface/*", *where):
            self.require("ec2:CreateNetworkInterface", arn("ec2", self.region, resource), ec2_Vpc=vpc)
        for action in NETWORK_CHANGES:
            self.require(f"ec2:{action}", arn("ec2", self.region, "network-interface/*"), ec2_Vpc=vpc)
        for kind in NETWORK_READS:
            self.require(f"ec2:Describe{kind}", "*")


def _vpc_of(region: str, subnet: str) -> str:
    """The VPC that a subnet is in; "" when there is no such subnet."""
    zones = list(backend("ec2", region).subnets.values())
    return next((zone[subnet].vpc_id for zone in zones if subnet in zone), "")


def require(
    cloud: Cloud,
    role_arn: str,
    action: str,
    resource: str,
    *,
    region: str,
    session: str = "SageMaker",
    conditions: Mapping[str, str] | None = None,
) -> None:
    """Raise AccessError with AWS's sentence unless the role may do this. `conditions`: further condition keys."""
    acting = Session(key="", role_arn=role_arn, name=session)
    who = acting.principal
    keys = {name.lower(): (value,) for name, value in (conditions or {}).items()}
    ask = Ask(action=action, resource=resource, context={**judge.context(cloud, who, region), **keys})
    reason = judge.refusal(ask, acting)
    if reason:
        raise AccessError(reason)


def actor_of(cloud: Cloud, key: str, region: str) -> Actor | None:
    """Who acts with an access key, None for the administrator."""
    found = sessions(cloud).get(key) if key.startswith(PREFIX) else None
    return Actor(cloud=cloud, role=found.role_arn, region=region, session=found.name) if found else None
