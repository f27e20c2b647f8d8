"""Each role does its job and nothing else: one stack, whose roles' keys the embedded AWS judges request by request.

What `up` needs of train, serve and build it does as these roles; deploy makes an update; schedule and guard stop all.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from slipway.leaks import find_leaks
from tests.e2e.checkout import Checkout
from tests.e2e.updates.cases import QUICK
from tests.unit.localaws.iam.role_clients import RoleClients, denied, role_keys

REGION, ACCOUNT = "eu-west-1", "123456789012"
NEIGHBOUR, STATE = "slipway-prod-data-1234567", f"slipway-state-{ACCOUNT}-{REGION}"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
DEPLOY = {"repository": "team/models", "subjects": ["ref:refs/heads/main"]}
ANY_ROLE = {"Version": "2012-10-17", "Statement": []}

Calls = list[tuple[str, str, dict[str, Any]]]
"""(service, operation, arguments) of a call."""


@pytest.mark.rehearsal
def test_each_role_does_its_job_and_is_denied_everything_else(running: Checkout) -> None:
    running.configure(training=QUICK, access={"deploy": DEPLOY})
    first = running.up()
    assert first.code == 0, first.text
    outputs = running.outputs()
    for bucket in (NEIGHBOUR, STATE):
        where = {"LocationConstraint": REGION}
        running.aws("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    url = running.environment["AWS_ENDPOINT_URL"]
    roles = {job: RoleClients(url, arn, REGION) for job, arn in outputs["roles"].items()}
    forbidden = {job: calls(outputs) for job, calls in FORBIDDEN.items()}
    assert roles.keys() == forbidden.keys() and sum(map(len, forbidden.values())) >= 60
    for job, calls in forbidden.items():
        for service, operation, arguments in calls:
            refusal = denied_call(roles[job], service, operation, arguments)
            assert "not authorized" in refusal or "Forbidden" in refusal, (job, operation, refusal)
    deploy_updates(running, roles["deploy"].role)
    schedule_and_guard_stop(running, roles)
    running.ok("slipway", "down")


def denied_call(role: RoleClients, service: str, operation: str, arguments: dict[str, Any]) -> str:
    try:
        return denied(lambda: getattr(role.client(service), operation)(**arguments))
    except AssertionError as error:
        raise AssertionError(f"{role.role} {operation} {arguments}: {error}") from error


def deploy_updates(checkout: Checkout, role: str) -> None:
    """CI brings a new run to the endpoint with the role's keys alone."""
    keys = role_keys(checkout.environment["AWS_ENDPOINT_URL"], role)
    administrator = dict(checkout.environment)
    checkout.environment.update({name.upper(): value for name, value in keys.items()})
    checkout.configure(
        training={"hyperparameters": {"model": "mlp", "epochs": 3}}, serving={"instances": {"min": 1, "max": 2}}
    )
    done = checkout.up()
    assert done.code == 0 and "AccessDenied" not in done.text, done.text
    assert "as recorded" in checkout.ok("slipway", "verify")
    checkout.ok("pulumi", "refresh", "--yes", "--skip-preview", "--non-interactive")
    searched: list[str] = []
    kinds = {one.kind for one in find_leaks(checkout.stack(), searched.append)}  # raises when it may not search
    assert {"bucket", "endpoint", "role", "managed policy"} <= kinds and len(searched) > 30
    checkout.environment = administrator


def schedule_and_guard_stop(checkout: Checkout, roles: dict[str, RoleClients]) -> None:
    caller, event = roles["schedule"].client("lambda"), {"action": "stop", "attended": True}
    called = caller.invoke(FunctionName=checkout.outputs()["guardian"], Payload=json.dumps(event).encode())
    answer = json.loads(called["Payload"].read())
    assert answer["did"] == ["deleted endpoint slipway-local"] and answer["problems"] == [], answer
    train = roles["train"].role.rsplit("/", 1)[1]
    guard = roles["guard"].client("iam")
    guard.attach_role_policy(RoleName=train, PolicyArn=DENY_ALL)
    key = {"Bucket": checkout.outputs()["bucket"], "Key": f"runs/{checkout.outputs()['run']}/output/model.tar.gz"}
    assert "explicit deny" in denied(lambda: roles["train"].client("s3").get_object(**key))
    topics = [one["TopicArn"] for one in checkout.aws("sns").list_topics()["Topics"]]
    (spending,) = [topic for topic in topics if "-spending-" in topic]
    roles["guard"].client("sns").publish(TopicArn=spending, Message="stopped")


def s3(operation: str, outputs: dict[str, Any], key: str = "", bucket: str = "", **more: Any) -> tuple[str, str, Any]:
    where = {"Bucket": bucket or outputs["bucket"], **({"Key": key} if key else {}), **more}
    return "s3", operation, where


def named(outputs: dict[str, Any], job: str) -> str:
    name: str = outputs["roles"][job].rsplit("/", 1)[1]
    return name


def job(outputs: dict[str, Any], role: str) -> dict[str, Any]:
    """The arguments of a training job of the stack with the given role."""
    return {
        "TrainingJobName": "slipway-local-own",
        "RoleArn": role,
        "AlgorithmSpecification": {"TrainingImage": outputs["image"], "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{outputs['bucket']}/runs/"},
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def metric(namespace: str) -> tuple[str, str, dict[str, Any]]:
    return "cloudwatch", "put_metric_data", {"Namespace": namespace, "MetricData": [{"MetricName": "m", "Value": 1}]}


def repository(outputs: dict[str, Any]) -> str:
    name: str = outputs["image"].rsplit("/", 1)[1].split(":")[0]
    return name


def train_is_denied(outputs: dict[str, Any]) -> Calls:
    return [
        s3("get_object", outputs, "code/x.zip"),
        s3("put_object", outputs, "data/digits/x", Body=b""),
        s3("delete_object", outputs, "runs/x/output/model.tar.gz"),
        s3("list_objects_v2", outputs),
        s3("list_objects_v2", outputs, Prefix="code/"),
        s3("get_object", outputs, "data/x", bucket=NEIGHBOUR),
        s3("put_object", outputs, "runs/x", bucket=NEIGHBOUR, Body=b""),
        s3("delete_bucket", outputs),
        s3("put_bucket_policy", outputs, Policy=json.dumps(ANY_ROLE)),
        ("iam", "attach_role_policy", {"RoleName": named(outputs, "train"), "PolicyArn": ADMIN}),
        ("iam", "create_user", {"UserName": "eve"}),
        ("sts", "assume_role", {"RoleArn": outputs["roles"]["serve"], "RoleSessionName": "eve"}),
        ("sagemaker", "create_training_job", job(outputs, outputs["roles"]["train"])),
        ("sagemaker", "delete_endpoint", {"EndpointName": outputs["endpoint"]}),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": outputs["endpoint"], "Body": b"{}"}),
        ("logs", "create_log_stream", {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": "another/1"}),
        ("logs", "delete_log_group", {"logGroupName": "/aws/sagemaker/TrainingJobs"}),
        metric("AWS/Billing"),
        ("ecr", "put_image", {"repositoryName": repository(outputs), "imageManifest": "{}", "imageTag": "x"}),
        ("secretsmanager", "get_secret_value", {"SecretId": "another"}),
    ]


def serve_is_denied(outputs: dict[str, Any]) -> Calls:
    return [
        s3("get_object", outputs, "code/x.zip"),
        s3("get_object", outputs, "data/digits/digits.npz"),
        s3("get_object", outputs, "checkpoints/x"),
        s3("put_object", outputs, "runs/x/output/model.tar.gz", Body=b""),
        s3("put_object", outputs, "captured/x", Body=b""),
        s3("delete_object", outputs, "runs/x/output/model.tar.gz"),
        ("s3", "list_buckets", {}),
        ("sagemaker", "describe_training_job", {"TrainingJobName": outputs["run"]}),
        (
            "sagemaker",
            "update_endpoint",
            {"EndpointName": outputs["endpoint"], "EndpointConfigName": outputs["endpoint_config"]},
        ),
        ("ecr", "batch_delete_image", {"repositoryName": repository(outputs), "imageIds": [{"imageTag": "x"}]}),
        ("ecr", "batch_get_image", {"repositoryName": "another/model", "imageIds": [{"imageTag": "x"}]}),
        ("logs", "delete_log_group", {"logGroupName": f"/aws/sagemaker/Endpoints/{outputs['endpoint']}"}),
        ("sns", "publish", {"TopicArn": outputs["topic"], "Message": "x"}),
        metric("AWS/EC2"),
    ]


def build_is_denied(outputs: dict[str, Any]) -> Calls:
    return [
        s3("get_object", outputs, "runs/x/output/model.tar.gz"),
        s3("get_object", outputs, "data/digits/digits.npz"),
        s3("put_object", outputs, "code/x.zip", Body=b""),
        ("ecr", "delete_repository", {"repositoryName": repository(outputs), "force": True}),
        ("ecr", "put_image", {"repositoryName": "another/model", "imageManifest": "{}", "imageTag": "x"}),
        ("codebuild", "start_build", {"projectName": "slipway-local-build"}),
        ("sagemaker", "delete_endpoint", {"EndpointName": outputs["endpoint"]}),
        ("iam", "list_roles", {}),
    ]


def guard_is_denied(outputs: dict[str, Any]) -> Calls:
    others = "slipway-prod-serve-1234567"
    return [
        ("sagemaker", "delete_endpoint", {"EndpointName": "slipway-prod"}),
        ("sagemaker", "stop_training_job", {"TrainingJobName": "slipway-prod-1"}),
        ("sagemaker", "delete_model", {"ModelName": outputs["model"]}),
        ("sagemaker", "create_training_job", job(outputs, outputs["roles"]["train"])),
        ("iam", "attach_role_policy", {"RoleName": named(outputs, "serve"), "PolicyArn": ADMIN}),
        ("iam", "attach_role_policy", {"RoleName": others, "PolicyArn": DENY_ALL}),
        ("iam", "detach_role_policy", {"RoleName": named(outputs, "serve"), "PolicyArn": DENY_ALL}),
        ("iam", "delete_role_policy", {"RoleName": named(outputs, "serve"), "PolicyName": "x"}),
        s3("get_object", outputs, "data/digits/digits.npz"),
        s3("put_object", outputs, "runs/x", Body=b""),
        ("sns", "publish", {"TopicArn": outputs["topic"], "Message": "x"}),
    ]


def schedule_is_denied(outputs: dict[str, Any]) -> Calls:
    return [
        ("sagemaker", "delete_endpoint", {"EndpointName": "slipway-local"}),
        ("sagemaker", "stop_training_job", {"TrainingJobName": "slipway-prod-1"}),
        ("lambda", "invoke", {"FunctionName": "slipway-prod-guard-1234567"}),
        (
            "sagemaker",
            "create_endpoint",
            {"EndpointName": "slipway-local", "EndpointConfigName": outputs["endpoint_config"]},
        ),
        ("sagemaker", "list_endpoints", {}),
        ("iam", "attach_role_policy", {"RoleName": named(outputs, "train"), "PolicyArn": DENY_ALL}),
        s3("list_objects_v2", outputs),
    ]


def deploy_is_denied(outputs: dict[str, Any]) -> Calls:
    own, trust = named(outputs, "deploy"), json.dumps(ANY_ROLE)
    return [
        ("iam", "create_role", {"RoleName": "administrator", "AssumeRolePolicyDocument": trust}),
        ("iam", "put_role_policy", {"RoleName": own, "PolicyName": "x", "PolicyDocument": trust}),
        ("iam", "update_assume_role_policy", {"RoleName": own, "PolicyDocument": trust}),
        ("iam", "attach_role_policy", {"RoleName": named(outputs, "train"), "PolicyArn": ADMIN}),
        ("iam", "create_user", {"UserName": "eve"}),
        ("iam", "create_access_key", {"UserName": "eve"}),
        ("sagemaker", "create_training_job", job(outputs, f"arn:aws:iam::{ACCOUNT}:role/administrator")),
        ("sagemaker", "delete_endpoint", {"EndpointName": "slipway-prod"}),
        ("sagemaker", "delete_model", {"ModelName": "slipway-prod-model-1"}),
        s3("delete_bucket", outputs, bucket=NEIGHBOUR),
        s3("get_object", outputs, ".pulumi/stacks/slipway/prod.json", bucket=STATE),
        ("sts", "assume_role", {"RoleArn": outputs["roles"]["serve"], "RoleSessionName": "eve"}),
        ("ecr", "delete_repository", {"repositoryName": "slipway-prod-image-1", "force": True}),
        ("logs", "delete_log_group", {"logGroupName": "/aws/sagemaker/TrainingJobs"}),
        ("sns", "delete_topic", {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:slipway-prod-alarms-1"}),
    ]


FORBIDDEN: dict[str, Callable[[dict[str, Any]], Calls]] = {
    "train": train_is_denied,
    "serve": serve_is_denied,
    "build": build_is_denied,
    "guard": guard_is_denied,
    "schedule": schedule_is_denied,
    "deploy": deploy_is_denied,
}
