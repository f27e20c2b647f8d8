"""STS's AssumeRole and AssumeRoleWithWebIdentity: only a role that exists and trusts the caller, as in AWS.

A web identity's token is read, its signature is not checked: nobody's keys are here. What it claims (`iss`, `aud`,
`sub`) must match the provider and the conditions of the trust policy, and it must not have expired.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localaws.cloud import ACCOUNT, GLOBAL, Cloud, backend
from localaws.errors import AwsError
from localaws.iam import judge, policies, sessions, trust
from localaws.iam.patterns import Context
from localaws.iam.principals import ADMINISTRATOR_ARN, Principal
from localaws.iam.sessions import Session

DEFAULT_SECONDS = 3600
SHORTEST_SECONDS = 900


def assume_role(cloud: Cloud, caller: Session | None, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """AssumeRole by the administrator or by a role's session."""
    role = request["RoleArn"]
    given = {"sts:externalid": "ExternalId", "sts:rolesessionname": "RoleSessionName"}
    keys: Context = {key: (request[name],) for key, name in given.items() if name in request}
    if not trust.trusts_caller(cloud, role, caller, region, keys):
        who = caller.principal.arn if caller else ADMINISTRATOR_ARN
        text = f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {role}"
        raise AwsError("AccessDenied", text, status=403)
    return _session(cloud, role, request)


def assume_role_with_web_identity(
    cloud: Cloud, caller: Session | None, region: str, request: Mapping[str, Any]
) -> dict[str, Any]:
    """AssumeRoleWithWebIdentity with a JSON web token of a provider that the account has."""
    claims = _claims(request["WebIdentityToken"])
    if float(claims.get("exp", 0)) < cloud.clock.now():
        raise AwsError("ExpiredTokenException", f"Token expired: {claims.get('exp')} is in the past")
    issuer = str(claims.get("iss", "")).removeprefix("https://")
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    found = backend("iam", GLOBAL).open_id_providers.get(provider)
    if found is None:
        raise AwsError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for https://{issuer}")
    audiences = claims.get("aud", [])
    audiences = audiences if isinstance(audiences, list) else [audiences]
    if not set(audiences) & set(found.client_id_list):
        raise AwsError("InvalidIdentityToken", "Incorrect token audience")
    who = Principal(arn=provider, kind="Federated", account="")
    named = {f"{issuer}:{name}".lower(): _texts(value) for name, value in claims.items()}
    # AWS puts the authorised party, where there is one, in the place of the audience.
    named[f"{issuer}:aud".lower()] = _texts(claims.get("azp", audiences))
    context = {**judge.context(cloud, who, region), **named, "sts:rolesessionname": (request["RoleSessionName"],)}
    if not trust.trusts(request["RoleArn"], who, "sts:AssumeRoleWithWebIdentity", context):
        raise AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", status=403)
    answer = _session(cloud, request["RoleArn"], request)
    return {
        **answer,
        "SubjectFromWebIdentityToken": str(claims.get("sub", "")),
        "Audience": str(audiences[0]),
        "Provider": provider,
    }


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in (value if isinstance(value, list) else [value]))


def _claims(token: str) -> Mapping[str, Any]:
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if isinstance(found, dict):
            return found
    except (IndexError, ValueError, binascii.Error):
        pass  # the same answer as for a token that holds no object
    raise AwsError(
        "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (three parts, JSON in the second)"
    )


def _session(cloud: Cloud, role_arn: str, request: Mapping[str, Any]) -> dict[str, Any]:
    role, seconds = policies.role(role_arn), int(request.get("DurationSeconds", DEFAULT_SECONDS))
    longest = int(role.max_session_duration or DEFAULT_SECONDS)
    if not SHORTEST_SECONDS <= seconds <= longest:
        raise AwsError(
            "ValidationError",
            f"The requested DurationSeconds is {seconds}; the role {role.name} allows {SHORTEST_SECONDS} to {longest}.",
        )
    name = request["RoleSessionName"]
    assumed = sessions.start(cloud, role_arn, name, seconds=seconds, policy=request.get("Policy", ""))
    return {
        "Credentials": {
            "AccessKeyId": assumed.access_key_id,
            "SecretAccessKey": assumed.secret_access_key,
            "SessionToken": assumed.session_token,
            "Expiration": datetime.fromtimestamp(cloud.clock.now() + seconds, UTC),
        },
        "AssumedRoleUser": {"AssumedRoleId": assumed.user_id, "Arn": assumed.arn},
        "PackedPolicySize": 6 if request.get("Policy") else 0,
    }
