"""The policies that have a say about a request, from where moto keeps them."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from moto.iam.exceptions import NotFoundException

from localaws.cloud import GLOBAL, backend
from localaws.iam.evaluator import Policies
from localaws.iam.patterns import PolicyError
from localaws.iam.statements import Policy, policy

AWS_MANAGED = "arn:aws:iam::aws:policy/"


def role(arn: str) -> Any:
    """moto's role, or None."""
    try:
        return backend("iam", GLOBAL).get_role_by_arn(arn)
    except NotFoundException:
        return None


def of_role(found: Any) -> Policies:
    """A role's identity policies, inline and attached, and its boundary. Raises PolicyError."""
    inline = [policy(f"{found.name}:{name}", text) for name, text in list(found.policies.items())]
    attached = [managed(one.arn) for one in list(found.managed_policies.values())]
    boundary = found.permissions_boundary_arn
    return Policies(identity=(*inline, *attached), boundary=managed(boundary) if boundary else None)


def managed(arn: str) -> Policy:
    """A managed policy's default version. Raises PolicyError when there is no such policy."""
    found = backend("iam", GLOBAL).managed_policies.get(arn)
    if found is not None:
        text = next(version.document for version in found.versions if version.version_id == found.default_version_id)
        return policy(arn, text)
    own = aws_managed(arn)
    if own is None:
        raise PolicyError(f"the managed policy {arn} does not exist")
    return policy(arn, own["Document"])


def aws_managed(arn: str) -> dict[str, Any] | None:
    """What moto knows of a policy of AWS's own (Document, Path, dates), or None."""
    found: dict[str, Any] | None = None
    if arn.startswith(AWS_MANAGED):
        found = _aws_managed().get(arn.rsplit("/", 1)[1])  # below a path, as service-role/
    return found if found and arn == f"{AWS_MANAGED.removesuffix('/')}{found['Path']}{arn.rsplit('/', 1)[1]}" else None


@cache
def _aws_managed() -> dict[str, Any]:
    """AWS's own policies by name; moto carries their texts (3 MB, so they are read when first asked for)."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    found: dict[str, Any] = json.loads(aws_managed_policies_data)
    return found


def of_resource(arn: str) -> Policy | None:
    """The policy that is attached to a resource, if it is of a kind that has one."""
    parts = arn.split(":", 5)
    find = _FINDERS.get(parts[2]) if len(parts) == 6 else None
    text = find(parts[3], parts[5]) if find is not None else None
    return policy(arn, text) if text else None


def owns_itself(arn: str) -> bool:
    """Whether the resource's own policy must let somebody in (a KMS key)."""
    return arn.startswith("arn:aws:kms:") and ":key/" in arn


def _bucket(region: str, resource: str) -> str | None:
    found = backend("s3", GLOBAL).buckets.get(resource.partition("/")[0])
    return found.policy.decode() if found is not None and found.policy else None


def _key(region: str, resource: str) -> str | None:
    found = backend("kms", region).keys.get(resource.removeprefix("key/"))
    return found.policy if found is not None else None


def _topic(region: str, resource: str) -> str | None:
    topics = backend("sns", region).topics
    found = next((topic for arn, topic in list(topics.items()) if arn.rsplit(":", 1)[-1] == resource), None)
    return found.policy if found is not None else None


def _repository(region: str, resource: str) -> str | None:
    found = backend("ecr", region).repositories.get(resource.removeprefix("repository/"))
    return found.policy if found is not None else None


def _secret(region: str, resource: str) -> str | None:
    secrets = list(backend("secretsmanager", region).secrets.values())
    found = next((secret for secret in secrets if secret.arn.endswith(resource)), None)
    return getattr(found, "policy", None)


def _function(region: str, resource: str) -> str | None:
    functions = backend("lambda", region)._lambdas
    found = functions._functions.get(resource.removeprefix("function:").partition(":")[0], {}).get("latest")
    return json.dumps(found.policy.get_policy()["Policy"]) if found is not None and found.policy.statements else None


# The service in an ARN: (region, resource) -> the text of its policy.
_FINDERS: dict[str, Callable[[str, str], str | None]] = {
    "s3": _bucket,
    "kms": _key,
    "sns": _topic,
    "ecr": _repository,
    "secretsmanager": _secret,
    "lambda": _function,
}
