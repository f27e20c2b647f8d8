"""IAM itself."""

from localaws.cloud import GLOBAL, backend
from localaws.iam.rules import ANY, Parameters, Rule, Service, on

ROLE, POLICY = "role/{RoleName}", "policy/{PolicyArn}"
PROVIDER = "oidc-provider/{OpenIDConnectProviderArn}"
_ATTACHED = {"iam:PolicyARN": "PolicyArn"}


def _normalise(parameters: Parameters, region: str) -> Parameters:
    """A role's or policy's ARN holds its path; an identity provider's is its URL without the scheme."""
    changed = dict(parameters)
    if "RoleName" in changed:
        name, path = changed["RoleName"], changed.get("Path", "/")
        known = next((role for role in list(backend("iam", GLOBAL).roles.values()) if role.name == name), None)
        changed["RoleName"] = f"{known.path if known else path}{name}".lstrip("/")
    if "PolicyName" in changed:
        changed["PolicyName"] = f"{changed.get('Path', '/')}{changed['PolicyName']}".lstrip("/")
    if "Url" in changed:
        changed["Url"] = changed["Url"].removeprefix("https://")
    return changed


SERVICE = Service(
    client="iam",
    prefix="iam",
    normalise=_normalise,
    scope=":{account}:",
    rules={
        "CreateRole": Rule(
            resources=(ROLE,),
            tags="Tags",
            tag_action="TagRole",
            conditions={"iam:PermissionsBoundary": "PermissionsBoundary"},
        ),
        **on(ROLE, "GetRole", "DeleteRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy"),
        **on(ROLE, "GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies", "ListRoleTags"),
        **on(ROLE, "ListInstanceProfilesForRole", "PutRolePolicy", "DeleteRolePolicy"),
        **on(ROLE, "DeleteRolePermissionsBoundary"),
        "AttachRolePolicy": Rule(resources=(ROLE,), conditions=_ATTACHED),
        "DetachRolePolicy": Rule(resources=(ROLE,), conditions=_ATTACHED),
        "PutRolePermissionsBoundary": Rule(
            resources=(ROLE,), conditions={"iam:PermissionsBoundary": "PermissionsBoundary"}
        ),
        "TagRole": Rule(resources=(ROLE,), tags="Tags"),
        "UntagRole": Rule(resources=(ROLE,), conditions={"aws:TagKeys": "TagKeys[]"}),
        "CreatePolicy": Rule(resources=("policy/{PolicyName}",), tags="Tags", tag_action="TagPolicy"),
        **on(POLICY, "GetPolicy", "GetPolicyVersion", "ListPolicyVersions", "ListEntitiesForPolicy"),
        **on(POLICY, "CreatePolicyVersion", "DeletePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy"),
        "CreateOpenIDConnectProvider": Rule(
            resources=("oidc-provider/{Url}",), tags="Tags", tag_action="TagOpenIDConnectProvider"
        ),
        **on(PROVIDER, "GetOpenIDConnectProvider", "DeleteOpenIDConnectProvider"),
        **on(PROVIDER, "AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider"),
        **on(PROVIDER, "UpdateOpenIDConnectProviderThumbprint", "ListOpenIDConnectProviderTags"),
        "TagOpenIDConnectProvider": Rule(resources=(PROVIDER,), tags="Tags"),
        "UntagOpenIDConnectProvider": Rule(resources=(PROVIDER,), conditions={"aws:TagKeys": "TagKeys[]"}),
        "CreateServiceLinkedRole": Rule(
            resources=("role/aws-service-role/{AWSServiceName}/*",),
            conditions={"iam:AWSServiceName": "AWSServiceName"},
        ),
        **on("role/{PolicySourceArn}", "SimulatePrincipalPolicy"),
        **on(ANY, "SimulateCustomPolicy", "ListRoles", "ListPolicies", "ListOpenIDConnectProviders"),
        **on(ANY, "ListAccountAliases", "GetAccountSummary"),
    },
)
