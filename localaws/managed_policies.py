"""AWS's own managed policies can be attached; moto knows them only where all 1,500 are loaded at the start."""

from moto.iam.models import AWSManagedPolicy, IAMBackend

from localaws.iam.policies import aws_managed

_attach = IAMBackend.attach_role_policy


def install() -> None:
    """Put the rule into moto's IAM. Doing it twice does no harm."""
    IAMBackend.attach_role_policy = _attach_role_policy


def _attach_role_policy(self: IAMBackend, policy_arn: str, role_name: str) -> None:
    found = aws_managed(policy_arn) if policy_arn not in self.managed_policies else None
    if found is not None:
        name = policy_arn.rsplit("/", 1)[1]
        made = AWSManagedPolicy.from_data(name, self.account_id, self.region_name, found)
        self.managed_policies[policy_arn] = made
    _attach(self, policy_arn, role_name)
