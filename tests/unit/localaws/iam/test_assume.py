"""Who may assume a role: the trust policy decides, for the account, for roles, for services, for web identities."""

import base64
import json
import time
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.iam import trust
from tests.unit.localaws.aws import ACCOUNT, REGION, Aws, running, unique
from tests.unit.localaws.iam.conftest import Worker
from tests.unit.localaws.iam.policy_texts import ROOT, allow, deny

ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"


def trusting(principal: Any, action: str = "sts:AssumeRole", **condition: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        **({"Condition": condition} if condition else {}),
    }


def assume(sts: Any, role: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = sts.assume_role(RoleArn=role, RoleSessionName="session", **more)
    return answer


@pytest.mark.parametrize(
    "principal", [{"AWS": ROOT}, {"AWS": ACCOUNT}, "*", {"AWS": f"arn:aws:sts::{ACCOUNT}:user/moto"}]
)
def test_the_administrator_assumes_a_role_that_trusts_the_account_or_him(
    aws: Aws, worker: Worker, principal: Any
) -> None:
    answer = assume(aws.client("sts"), worker(trust=trusting(principal)).role)
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert answer["AssumedRoleUser"]["Arn"].endswith("/session")


@pytest.mark.parametrize("principal", [{"Service": "sagemaker.amazonaws.com"}, {"AWS": "999999999999"}])
def test_the_administrator_does_not_assume_a_role_that_trusts_others(aws: Aws, worker: Worker, principal: Any) -> None:
    role = worker(trust=trusting(principal)).role
    with pytest.raises(
        ClientError, match=rf"AccessDenied.*not authorized to perform: sts:AssumeRole on resource: {role}"
    ):
        assume(aws.client("sts"), role)


def test_a_role_that_does_not_exist_is_access_denied(aws: Aws) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(aws.client("sts"), f"arn:aws:iam::{ACCOUNT}:role/nobody")


def test_the_keys_are_the_roles(aws: Aws, worker: Worker) -> None:
    keys = assume(aws.client("sts"), worker(allow("sagemaker:ListModels"), trust=trusting({"AWS": ROOT})).role)[
        "Credentials"
    ]
    options = {
        "endpoint_url": aws.url,
        "region_name": REGION,
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    boto3.client("sagemaker", **options).list_models()
    with pytest.raises(ClientError, match="AccessDeniedException"):
        boto3.client("logs", **options).describe_log_groups()


def test_a_session_policy_narrows_the_role(aws: Aws, worker: Worker) -> None:
    role = worker(allow("sagemaker:*"), trust=trusting({"AWS": ROOT})).role
    narrow = json.dumps({"Version": "2012-10-17", "Statement": [allow("sagemaker:ListModels")]})
    keys = assume(aws.client("sts"), role, Policy=narrow)["Credentials"]
    sagemaker = boto3.client(
        "sagemaker",
        endpoint_url=aws.url,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    sagemaker.list_models()
    with pytest.raises(ClientError, match="no session policy allows"):
        sagemaker.list_endpoints()


def test_a_role_needs_its_own_permission_where_the_trust_names_the_account(worker: Worker) -> None:
    target = worker(trust=trusting({"AWS": ROOT})).role
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(worker().client("sts"), target)
    assume(worker(allow("sts:AssumeRole", target)).client("sts"), target)


def test_a_role_that_the_trust_names_needs_no_more_but_may_be_denied(aws: Aws, worker: Worker) -> None:
    named, denied = worker(), worker(deny("sts:*"))
    target = worker(trust=trusting({"AWS": [named.role, denied.role]})).role
    assume(named.client("sts"), target)
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(denied.client("sts"), target)


def test_an_external_id_may_be_demanded(aws: Aws, worker: Worker) -> None:
    role = worker(trust=trusting({"AWS": ROOT}, StringEquals={"sts:ExternalId": "secret"})).role
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(aws.client("sts"), role)
    assume(aws.client("sts"), role, ExternalId="secret")


def test_a_session_is_as_long_as_the_role_allows(aws: Aws, worker: Worker) -> None:
    role = worker(trust=trusting({"AWS": ROOT}), MaxSessionDuration=7200).role
    assume(aws.client("sts"), role, DurationSeconds=7200)
    with pytest.raises(ClientError, match=r"DurationSeconds is 7201; the role \S+ allows 900 to 7200"):
        assume(aws.client("sts"), role, DurationSeconds=7201)


def test_keys_expire_by_the_clock() -> None:
    with running() as (url, _):
        aws = Aws(url)
        document = json.dumps({"Version": "2012-10-17", "Statement": [trusting({"AWS": ROOT})]})
        role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        keys = assume(aws.client("sts"), role, DurationSeconds=900)["Credentials"]
        options = {
            "endpoint_url": url,
            "region_name": REGION,
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        assert boto3.client("sts", **options).get_caller_identity()["Arn"].endswith("/r/session")
        aws.post("/_localaws/clock", {"advance_seconds": 901})
        for service, operation, code in (
            ("sts", "get_caller_identity", "ExpiredToken"),
            ("s3", "list_buckets", "ExpiredToken"),
            ("sagemaker", "list_models", "ExpiredTokenException"),
        ):
            with pytest.raises(ClientError, match=rf"\({code}\)"):
                getattr(boto3.client(service, **options), operation)()


def token(**claims: Any) -> str:
    parts = [{"alg": "RS256"}, {"iss": f"https://{ISSUER}", "exp": time.time() + 600, **claims}]
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*texts, "c2lnbmF0dXJl"])


@pytest.fixture(scope="module")
def provider(aws: Aws) -> str:
    iam = aws.client("iam")
    created = iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])
    assert created["OpenIDConnectProviderArn"] == PROVIDER
    return PROVIDER


@pytest.fixture
def deployer(worker: Worker, provider: str) -> str:
    condition = {
        "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{ISSUER}:sub": ["repo:org/name:environment:prod", "repo:org/name:ref:refs/heads/*"]},
    }
    return worker(trust=trusting({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", **condition)).role


def assume_by_web(aws: Aws, role: str, identity: str) -> dict[str, Any]:
    sts = boto3.client("sts", endpoint_url=aws.url, region_name=REGION, config=Config(signature_version=UNSIGNED))
    found: dict[str, Any] = sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="deploy", WebIdentityToken=identity
    )
    return found


@pytest.mark.parametrize("subject", ["repo:org/name:environment:prod", "repo:org/name:ref:refs/heads/main"])
def test_a_web_identity_of_the_pinned_subject_assumes_the_role(aws: Aws, deployer: str, subject: str) -> None:
    answer = assume_by_web(aws, deployer, token(aud="sts.amazonaws.com", sub=subject))
    assert answer["SubjectFromWebIdentityToken"] == subject
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "sts.amazonaws.com", "sub": "repo:org/other:environment:prod"}, "AccessDenied"),
        ({"aud": "sts.amazonaws.com", "sub": "repo:org/name:pull_request"}, "AccessDenied"),
        ({"aud": "somebody", "sub": "repo:org/name:environment:prod"}, "InvalidIdentityToken"),
        ({"aud": "sts.amazonaws.com", "sub": "x", "iss": "https://elsewhere"}, "InvalidIdentityToken"),
        ({"aud": "sts.amazonaws.com", "sub": "repo:org/name:environment:prod", "exp": 1}, "ExpiredTokenException"),
    ],
)
def test_other_web_identities_are_refused(aws: Aws, deployer: str, claims: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        assume_by_web(aws, deployer, token(**claims))


def test_what_is_no_token_is_refused(aws: Aws, deployer: str) -> None:
    with pytest.raises(ClientError, match="InvalidIdentityToken"):
        assume_by_web(aws, deployer, "certainly-not-a-token")


def test_a_web_identity_does_not_assume_a_role_that_trusts_sagemaker(aws: Aws, worker: Worker, provider: str) -> None:
    identity = token(aud="sts.amazonaws.com", sub="repo:org/name:environment:prod")
    with pytest.raises(ClientError, match="AccessDenied"):
        assume_by_web(aws, worker().role, identity)


@pytest.mark.parametrize(
    ("condition", "source", "expected"),
    [
        ({}, "", True),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, "", True),
        ({"StringEquals": {"aws:SourceAccount": "999999999999"}}, "", False),
        (
            {"ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{ACCOUNT}:*"}},
            f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model/m",
            True,
        ),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{ACCOUNT}:*"}}, "", False),
    ],
)
def test_a_service_assumes_a_role_under_the_conditions_of_its_trust(
    monkeypatch: pytest.MonkeyPatch, condition: dict[str, Any], source: str, expected: bool
) -> None:
    document = {"Statement": trusting({"Service": "sagemaker.amazonaws.com"}, **condition)}
    monkeypatch.setattr(trust.policies, "role", lambda arn: SimpleNamespace(assume_role_policy_document=document))
    assert trust.trusts_service("arn:aws:iam::1:role/x", "sagemaker.amazonaws.com", source) is expected
    assert not trust.trusts_service("arn:aws:iam::1:role/x", "lambda.amazonaws.com", source)


def test_a_job_of_a_role_that_does_not_trust_sagemaker_is_refused(aws: Aws, worker: Worker) -> None:
    role = worker(trust=trusting({"AWS": ROOT})).role
    with pytest.raises(ClientError, match="Could not assume role"):
        aws.client("sagemaker").create_model(
            ModelName=unique("m"), PrimaryContainer={"Image": "image"}, ExecutionRoleArn=role
        )
