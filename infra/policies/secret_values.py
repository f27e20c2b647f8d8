"""Rules against secrets in the clear. No message shows a value.

A rule cannot tell a Pulumi secret from plain text: the engine hands both over alike. So what is certainly a credential,
and anything secret among hyperparameters, is refused, while a secret-looking variable is only remarked on: SageMaker
shows it to everyone who may describe the job or the model, wherever it came from.
"""

import re
from collections.abc import Iterator

from infra.policies.jobs import JOBS, definitions
from infra.policies.rule import ADVISORY, Problems, Resource, listed, resource_rule, token

MODEL = token("sagemaker", "Model")
PROJECT = token("codebuild", "Project")
# Whole words: max_tokens and tokenizer are no secrets.
SECRET_NAME = re.compile(
    r"(^|[_.-])(password|passwd|secret|token|credentials?|(api|access|private|secret)[_-]?key)($|[_.-])", re.IGNORECASE
)
KEPT_ELSEWHERE = re.compile(r"arn:aws[a-z-]*:(secretsmanager|ssm):.+")
CREDENTIALS = {
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a GitHub token": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,})"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
}
HYPERPARAMETER, VARIABLE = "hyperparameter", "environment variable"
Named = tuple[str, str, str]  # what it is, its name, its value


@resource_rule("no-plaintext-secrets", "No credential is among hyperparameters or variables.", *JOBS, MODEL, PROJECT)
def no_plaintext_secrets(one: Resource) -> Problems:
    for what, name, value in _values(one):
        found = next((kind for kind, shape in CREDENTIALS.items() if shape.search(value)), None)
        if what == HYPERPARAMETER and _looks_secret(name, value):
            found = found or "a secret, by its name,"
        if found:
            yield (
                f"{what} {name} holds {found} in the clear; store it in Secrets Manager or SSM and give the ARN "
                "in slipway:training.environment or slipway:serving.environment"
            )


@resource_rule("secrets-by-arn", "Secrets come by ARN.", *JOBS, MODEL, PROJECT, level=ADVISORY)
def secrets_by_arn(one: Resource) -> Problems:
    for what, name, value in _values(one):
        if what == VARIABLE and _looks_secret(name, value):
            yield f"{what} {name} can be read by all who may describe this resource; give a secret's ARN instead"


def _looks_secret(name: str, value: str) -> bool:
    return bool(value) and bool(SECRET_NAME.search(name)) and not KEPT_ELSEWHERE.fullmatch(value)


def _values(one: Resource) -> Iterator[Named]:
    if one.type == PROJECT:
        for variable in listed(one.get("environment", "environmentVariables")):
            if variable.get("type") in (None, "PLAINTEXT"):
                yield VARIABLE, variable.get("name"), str(variable.get("value"))
    elif one.type == MODEL:
        for container in [*listed(one.get("primaryContainer")), *listed(one.get("containers"))]:
            yield from ((VARIABLE, *pair) for pair in (container.get("environment") or {}).items())
    else:
        for definition in definitions(one):
            for key in ("hyperParameters", "staticHyperParameters"):
                yield from ((HYPERPARAMETER, *pair) for pair in (definition.get(key) or {}).items())
            yield from ((VARIABLE, *pair) for pair in (definition.get("environment") or {}).items())


RULES = (no_plaintext_secrets, secrets_by_arn)
