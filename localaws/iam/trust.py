"""Trust policies: who may assume a role. The role must exist; being named in the policy of its own is what counts."""

from localaws.cloud import ACCOUNT, Cloud
from localaws.iam import judge, policies
from localaws.iam.evaluator import Policies, evaluate
from localaws.iam.patterns import Context, PolicyError
from localaws.iam.principals import ADMINISTRATOR, Principal
from localaws.iam.sessions import Session
from localaws.iam.statements import Ask, policy

EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ADMINISTRATOR_POLICIES = Policies(identity=(policy("AdministratorAccess", EVERYTHING),))


def trusts(role_arn: str, who: Principal, action: str, context: Context, own: Policies | None = None) -> bool:
    """Whether a role's trust policy lets somebody in. `own`: the identity policies of who asks.

    A trust policy that cannot be evaluated lets nobody in.
    """
    found = policies.role(role_arn)
    if found is None:
        return False
    try:
        applicable = Policies(
            identity=own.identity if own else (),
            boundary=own.boundary if own else None,
            session=own.session if own else None,
            resource=policy(f"{role_arn}:trust", found.assume_role_policy_document),
            resource_owns=True,
        )
        return evaluate(Ask(action=action, resource=role_arn, context=context), who, applicable).allowed
    except PolicyError:
        return False


def trusts_service(role_arn: str, service: str, source_arn: str = "") -> bool:
    """Whether a service such as "sagemaker.amazonaws.com" may assume a role for one of the account's resources.

    The service passes aws:SourceAccount, and aws:SourceArn where the caller knows the resource's.
    """
    context = {
        "aws:sourceaccount": (ACCOUNT,),
        "aws:principalisawsservice": ("true",),
        "aws:securetransport": ("true",),
    }
    source = {"aws:sourcearn": (source_arn,)} if source_arn else {}
    who = Principal(arn=service, kind="Service", account="")
    return trusts(role_arn, who, "sts:AssumeRole", {**context, **source})


def trusts_caller(cloud: Cloud, role_arn: str, caller: Session | None, region: str, context: Context) -> bool:
    """Whether a role's session, or the administrator (None), may assume a role of this account."""
    who = caller.principal if caller else ADMINISTRATOR
    ask = Ask(action="sts:AssumeRole", resource=role_arn, context={**judge.context(cloud, who, region), **context})
    own = judge.applicable(ask, caller) if caller else ADMINISTRATOR_POLICIES
    return trusts(role_arn, who, "sts:AssumeRole", ask.context, own)
