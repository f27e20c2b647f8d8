"""Secrets Manager. A secret's ARN ends in six characters that its name does not tell: `NAME-??????`."""

from localaws.cloud import backend
from localaws.iam.rules import ANY, Parameters, Rule, Service, on

SECRET = "secret:{SecretId}"


def _normalise(parameters: Parameters, region: str) -> Parameters:
    """A secret's ARN, where the secret exists; else the form that its name would lead to."""
    given = {name: parameters[name] for name in ("SecretId", "Name") if name in parameters}
    secrets = backend("secretsmanager", region).secrets.values()
    arns = {secret.name: secret.arn for secret in secrets}
    return {**parameters, **{key: arns.get(name, f"{name}-??????") for key, name in given.items()}}


SERVICE = Service(
    client="secretsmanager",
    prefix="secretsmanager",
    normalise=_normalise,
    rules={
        "CreateSecret": Rule(
            resources=("secret:{Name}",),
            tags="Tags",
            tag_action="TagResource",
            conditions={"secretsmanager:Name": "Name"},
        ),
        **on(SECRET, "GetSecretValue", "DescribeSecret", "PutSecretValue", "UpdateSecret", "DeleteSecret"),
        **on(SECRET, "ListSecretVersionIds", "RestoreSecret", "GetResourcePolicy", "PutResourcePolicy"),
        "TagResource": Rule(resources=(SECRET,), tags="Tags"),
        "UntagResource": Rule(resources=(SECRET,), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on(ANY, "ListSecrets", "GetRandomPassword"),
    },
)
