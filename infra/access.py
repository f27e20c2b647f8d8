"""Access: one role per job, each allowed what that job does and on this stack's resources only; and CI's role.

What each may do is in `infra.permissions` and `infra.deploy_role`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.deploy_role import (
    AUDIENCE,
    GITHUB,
    PULL_REQUEST,
    PULL_REQUEST_STACKS,
    Scope,
    deploy_permissions,
    trust,
)
from infra.documents import Statement, document
from infra.network import Network
from infra.permissions import PERMISSIONS, Known
from infra.sections import Deploy
from infra.teardown_role import teardown_permissions


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    prefix: str
    account: Output[str]
    region: str
    bucket_arn: Output[str]
    data_uri: Output[str]
    """May be a prefix of somebody else's bucket; the training role reads it."""
    incarnation: Output[str]
    channels: tuple[Output[str], ...] = ()
    """S3 URIs of what a run reads besides the data set."""
    artifacts: tuple[str, ...] = ()
    """s3:// artifacts that the program did not make; the serving role reads them."""
    image: str = ""
    """The URI of an image that the program did not build; the jobs pull it, and there is no build role."""
    kms_key_arn: Output[str] | None = None
    audits: bool = False
    """The stack has a trail, which CI's role then looks after."""
    network: Network | None = None
    permissions_boundary: str | None = None
    deploy: Deploy | None = None
    uses: dict[str, Any] = field(default_factory=dict)
    """More facts of `Known` that follow from the settings: tunes, asynchronous, captures, notifies, secrets."""


class Access(pulumi.ComponentResource):
    """Outputs: roles, the ARNs by job, known once their policies are attached.

    `build` exists only where the program builds the image; `deploy` and `deploy-pr` (CI's roles for this stack and for
    those of pull requests) where `slipway:access.deploy` names subjects for them.
    """

    roles: dict[str, Output[str]]

    def __init__(self, name: str, args: AccessArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Access", name, None, opts)
        child = ResourceOptions(parent=self)
        make = partial(_role, name, args, _known(args), child)
        jobs = [job for job in PERMISSIONS if job != "build" or not args.image]
        self.roles = {job: make(job, args.account.apply(partial(_trust, job, args)), PERMISSIONS[job]) for job in jobs}
        if args.deploy:
            provider = _provider(name, args.deploy, child)
            for job, stack, subjects in _workflows(args.deploy):
                trusted = provider.apply(partial(trust, repository=args.deploy.repository, subjects=subjects))
                self.roles[job] = make(job, trusted, partial(_deploy, args, stack), partial(_teardown, args, stack))
        self.register_outputs(self.roles)

    @property
    def train(self) -> Output[str]:
        return self.roles["train"]

    @property
    def serve(self) -> Output[str]:
        return self.roles["serve"]

    @property
    def build(self) -> Output[str]:
        return self.roles["build"]


def _known(args: AccessArgs) -> Output[Known]:
    network = args.network
    facts = Output.all(
        account=args.account,
        bucket=args.bucket_arn,
        data=args.data_uri,
        channels=list(args.channels),
        incarnation=args.incarnation,
        key=args.kms_key_arn or "",
        vpc=network.vpc_arn if network else "",
        subnets=network.subnet_arns if network else [],
        groups=network.security_group_arns if network else [],
    )
    fixed = {
        "project": pulumi.get_project(),
        "stack": pulumi.get_stack(),
        "region": args.region,
        "artifacts": args.artifacts,
        "image": args.image,
        **args.uses,
    }

    def known(facts: dict[str, Any]) -> Known:
        lists = {name: tuple(facts[name]) for name in ("channels", "subnets", "groups")}
        return Known(**fixed, **(facts | lists))

    return facts.apply(known)


def _role(
    name: str,
    args: AccessArgs,
    known: Output[Known],
    child: ResourceOptions,
    job: str,
    assumed_by: Output[str],
    statements: Callable[[Known], list[Statement]],
    more: Callable[[Known], list[Statement]] | None = None,
) -> Output[str]:
    """The role's ARN; `more` are statements for which its inline policies have no room."""
    role = aws.iam.Role(
        f"{args.prefix}-{job}",
        description=f"slipway: what the {job} job of {args.prefix} may do",
        assume_role_policy=assumed_by,
        permissions_boundary=args.permissions_boundary,
        force_detach_policies=True,  # the guard may have frozen it, and IAM deletes no role with a policy attached
        opts=child,
    )
    policy = aws.iam.RolePolicy(
        f"{name}-{job}",
        role=role.name,
        policy=known.apply(lambda facts: document(statements(facts))),
        opts=child,
    )
    granted = [policy.id]
    if more:
        managed = aws.iam.Policy(
            f"{args.prefix}-{job}-teardown",
            description=f"slipway: what the {job} job of {args.prefix} may do besides",
            policy=known.apply(lambda facts: document(more(facts))),
            opts=child,
        )
        attached = aws.iam.RolePolicyAttachment(
            f"{name}-{job}-teardown", role=role.name, policy_arn=managed.arn, opts=child
        )
        granted.append(attached.id)
    # Through the policies: a job that starts before they are attached fails with AccessDenied.
    return Output.all(role.arn, *granted).apply(lambda known: str(known[0]))


def _trust(job: str, args: AccessArgs, account: str) -> str:
    """Only this account's jobs: without the condition any account's service could be talked into using the role.

    The source as well, where AWS documents what a service sends: CodeBuild the project, Scheduler the schedule's
    group, SageMaker something of its own in this account and region; Lambda none.
    """
    here = f"{args.region}:{account}"
    services = {
        "train": ("sagemaker", [f"arn:aws:sagemaker:{here}:*"]),
        "serve": ("sagemaker", [f"arn:aws:sagemaker:{here}:*"]),
        "build": ("codebuild", [f"arn:aws:codebuild:{here}:project/{args.prefix}-build"]),
        "guard": ("lambda", []),
        "schedule": ("scheduler", [f"arn:aws:scheduler:{here}:schedule-group/default"]),
    }
    service, sources = services[job]
    condition: dict[str, Mapping[str, object]] = {"StringEquals": {"aws:SourceAccount": account}}
    if sources:
        condition["ArnLike"] = {"aws:SourceArn": sources}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    return document([statement])


def _provider(name: str, deploy: Deploy, child: ResourceOptions) -> Output[str]:
    """GitHub's identity provider: the account's, or a new one. AWS checks GitHub's certificate without a thumbprint."""
    if deploy.oidc_provider_arn:
        return Output.from_input(deploy.oidc_provider_arn)
    return aws.iam.OpenIdConnectProvider(
        f"{name}-github", url=f"https://{GITHUB}", client_id_lists=[AUDIENCE], opts=child
    ).arn


def _workflows(deploy: Deploy) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(role, stack, subjects): a pull request's workflow runs code that nobody has reviewed, so it has its own role."""
    reviewed = tuple(subject for subject in deploy.subjects if subject != PULL_REQUEST)
    if reviewed:
        yield "deploy", "", reviewed
    if len(reviewed) < len(deploy.subjects):
        # A scheduled workflow, which takes stacks of forgotten pull requests down, runs as a branch.
        branches = tuple(subject for subject in reviewed if subject.startswith("ref:"))
        yield "deploy-pr", PULL_REQUEST_STACKS, (PULL_REQUEST, *branches)


def _deploy(args: AccessArgs, stack: str, known: Known) -> list[Statement]:
    return deploy_permissions(_scope(args, stack, known))


def _teardown(args: AccessArgs, stack: str, known: Known) -> list[Statement]:
    return teardown_permissions(_scope(args, stack, known))


def _scope(args: AccessArgs, stack: str, known: Known) -> Scope:
    own = not stack
    return Scope(
        known=known, stack=stack or known.stack, boundary=args.permissions_boundary, audits=own and args.audits
    )
