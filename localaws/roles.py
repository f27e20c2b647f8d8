"""IAM roles as services see them: may this service assume the role, and which keys does a process then get."""

import json

from localaws.cloud import Cloud
from localaws.iam import policies, sessions, trust


def assumable(role_arn: str, service: str, source_arn: str = "") -> bool:
    """Whether the role exists and its trust policy allows the service, for example "sagemaker.amazonaws.com".

    `source_arn`: the resource that the role is for, where a trust policy may ask for it (aws:SourceArn).
    """
    return trust.trusts_service(role_arn, service, source_arn)


def credentials(cloud: Cloud, role_arn: str, session: str) -> dict[str, str]:
    """Temporary keys of the role as environment variables. They last as long as the process: AWS renews them."""
    role = sessions.start(cloud, role_arn, session)
    return {
        "AWS_ACCESS_KEY_ID": role.access_key_id,
        "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
        "AWS_SESSION_TOKEN": role.session_token,
    }


def hand_out(cloud: Cloud, body: bytes) -> dict[str, str]:
    """POST /_localaws/credentials {role}: the keys that a process of this role gets, to try out what it may do.

    No trust policy is asked: a role that trusts SageMaker alone can be tried too. Raises ValueError for no such role.
    """
    role = json.loads(body)["role"]
    if policies.role(role) is None:
        raise ValueError(f"role is {role!r}; there is no such role, give the ARN of one that exists")
    return credentials(cloud, role, "trial")
