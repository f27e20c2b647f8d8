"""Rules for IAM: what roles may do, and who may become them."""

import re

from infra.policies.documents import Statement, allowed, equal_to, label, principals
from infra.policies.rule import Problems, Resource, Schema, listed, resource_rule, token

ROLE = token("iam", "Role")
IDENTITY_POLICIES = (ROLE, token("iam", "RolePolicy"), token("iam", "Policy"))
ATTACHMENT = token("iam", "RolePolicyAttachment")
OIDC_PROVIDER = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:oidc-provider/(?P<host>.+)")
STS = "sts.amazonaws.com"
BROAD = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(\S*/)?(AdministratorAccess|PowerUserAccess|IAM\S*|\S*FullAccess)")
BOUNDARY: Schema = {"arn": {"type": "string", "description": "the permissions boundary that every role must have"}}
# Actions for which IAM knows no resource: "*" is the only thing that can be written. From AWS's service authorization
# reference; a test compares the table with it.
WITHOUT_RESOURCE: dict[str, frozenset[str]] = {
    "application-autoscaling": frozenset(
        {"DescribeScalableTargets", "DescribeScalingActivities", "DescribeScalingPolicies", "DescribeScheduledActions"}
    ),
    "cloudtrail": frozenset({"DescribeTrails", "ListTrails", "LookupEvents"}),
    "cloudwatch": frozenset({"GetMetricData", "GetMetricStatistics", "ListDashboards", "ListMetrics", "PutMetricData"}),
    "codebuild": frozenset({"ListProjects"}),
    "ec2": frozenset(
        {
            "DescribeAddresses",
            "DescribeAvailabilityZones",
            "DescribeDhcpOptions",
            "DescribeManagedPrefixLists",
            "DescribeNatGateways",
            "DescribeNetworkInterfaces",
            "DescribePrefixLists",
            "DescribeRouteTables",
            "DescribeSecurityGroupRules",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "DescribeTags",
            "DescribeVpcEndpointServices",
            "DescribeVpcEndpoints",
            "DescribeVpcs",
        }
    ),
    "ecr": frozenset({"DescribeRegistry", "GetAuthorizationToken"}),
    "events": frozenset({"ListRules"}),
    "iam": frozenset({"ListAccountAliases", "ListOpenIDConnectProviders", "ListPolicies", "ListRoles"}),
    "kms": frozenset({"CreateKey", "ListAliases", "ListKeys"}),
    "lambda": frozenset({"ListFunctions"}),
    "logs": frozenset({"DescribeLogGroups", "DescribeQueries", "StopQuery"}),
    "pricing": frozenset({"GetProducts"}),
    "s3": frozenset({"ListAllMyBuckets"}),
    "sagemaker": frozenset(
        {
            "ListEndpointConfigs",
            "ListEndpoints",
            "ListHyperParameterTuningJobs",
            "ListModelPackageGroups",
            "ListModels",
            "ListProcessingJobs",
            "ListTrainingJobs",
            "ListTransformJobs",
        }
    ),
    "scheduler": frozenset({"ListScheduleGroups", "ListSchedules"}),
    "secretsmanager": frozenset({"ListSecrets"}),
    "servicequotas": frozenset({"ListServiceQuotas"}),
    "sns": frozenset({"ListSubscriptions", "ListTopics", "Unsubscribe"}),
    "sts": frozenset({"GetCallerIdentity"}),
    "tag": frozenset({"GetResources"}),
}
_FOLDED = {f"{service}:{action}".lower() for service, actions in WITHOUT_RESOURCE.items() for action in actions}


def _granted(one: Resource) -> list[Statement]:
    """The Allow statements of an identity policy, a role's inline ones included."""
    inline = [policy.get("policy") for policy in listed(one.get("inlinePolicies"))]
    document = one.get("policy") if one.type != ROLE else None
    return [statement for text in [document, *inline] for statement in allowed(text)]


@resource_rule("iam-no-wildcard-action", "Permissions name each action.", *IDENTITY_POLICIES)
def iam_no_wildcard_action(one: Resource) -> Problems:
    for statement in _granted(one):
        wild = [action for action in listed(statement.get("Action")) if "*" in action or "?" in action]
        if wild or statement.get("NotAction") is not None:
            found = ", ".join(wild) or "all but NotAction"
            yield f"{label(statement)} allows {found}; list the actions that are called"


@resource_rule("iam-no-wildcard-resource", "Permissions name their resources where IAM can.", *IDENTITY_POLICIES)
def iam_no_wildcard_resource(one: Resource) -> Problems:
    for statement in _granted(one):
        needing = [action for action in listed(statement.get("Action")) if action.lower() not in _FOLDED]
        if needing and (_everything(statement) or statement.get("NotResource") is not None):
            yield (
                f"{', '.join(needing)} is allowed on every resource; give the ARNs, "
                "and keep actions that take no resource in a statement of their own"
            )


def _everything(statement: Statement) -> bool:
    """Whether a resource is "*", or an ARN with nothing but wildcards behind the service."""
    parts = [str(one).split(":", 3) for one in listed(statement.get("Resource"))]
    return any(not part[-1].strip("*:/?") for part in parts)


@resource_rule("iam-no-broad-managed-policy", "No role has one of AWS's full-access policies.", ROLE, ATTACHMENT)
def iam_no_broad_managed_policy(one: Resource) -> Problems:
    arns = [one.get("policyArn")] if one.type == ATTACHMENT else listed(one.get("managedPolicyArns"))
    for arn in arns:
        if arn and BROAD.fullmatch(arn):
            yield f"{arn} is attached; write a policy of the calls that the job makes"


@resource_rule("service-trust-names-account", "A service may use a role for this account only.", ROLE)
def service_trust_names_account(one: Resource) -> Problems:
    for statement in allowed(one.get("assumeRolePolicy")):
        accounts = equal_to(statement, "aws:SourceAccount")
        if principals(statement, "Service") and (not accounts or any("*" in account for account in accounts)):
            services = ", ".join(principals(statement, "Service"))
            yield (
                f"{services} may assume the role for any account's resources; "
                "add the condition StringEquals aws:SourceAccount with this account's number"
            )


@resource_rule("oidc-trust-is-pinned", "A role for CI trusts named subjects and STS as the audience.", ROLE)
def oidc_trust_is_pinned(one: Resource) -> Problems:
    for statement in allowed(one.get("assumeRolePolicy")):
        for federated in principals(statement, "Federated"):
            provider = OIDC_PROVIDER.fullmatch(federated)
            if provider:
                yield from _unpinned(statement, provider["host"])


def _unpinned(statement: Statement, host: str) -> Problems:
    subjects = equal_to(statement, f"{host}:sub")
    wild = [subject for subject in subjects if "*" in subject or "?" in subject]
    if wild or not subjects:
        yield (
            f"{host}:sub is {', '.join(wild) or 'not pinned'}; allowed: whole subjects such as "
            "repo:org/name:environment:prod. Set slipway:access.deploy.subjects"
        )
    audiences = equal_to(statement, f"{host}:aud")
    if audiences != [STS]:
        yield f"{host}:aud is {', '.join(audiences) or 'not pinned'}; allowed: {STS}"


@resource_rule("role-boundary", "Roles carry the boundary that the pack's configuration names.", ROLE, schema=BOUNDARY)
def role_boundary(one: Resource) -> Problems:
    demanded, found = one.config.get("arn"), one.get("permissionsBoundary")
    if demanded and found != demanded:
        yield f"the permissions boundary is {found}; allowed: {demanded}. Set slipway:access.permissions_boundary"


RULES = (
    iam_no_wildcard_action,
    iam_no_wildcard_resource,
    iam_no_broad_managed_policy,
    service_trust_names_account,
    oidc_trust_is_pinned,
    role_boundary,
)
