"""Cases for the rules about jobs: infra/policies/jobs.py, accelerated.py and secret_values.py."""

from typing import Any

from infra.policies.accelerated import ENDPOINT_CONFIGURATION
from infra.policies.jobs import TRAINING_JOB, TUNING_JOB
from infra.policies.secret_values import MODEL, PROJECT
from tests.unit.policies.judge import Given, bad, good

HOUR = 3600
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
ACCESS_KEY = "AKIA" + "A" * 16  # put together here: scanners of sources must not find one


def job(kind: str = "dev", **inputs: Any) -> Given:
    return Given(type=TRAINING_JOB, inputs=inputs, kind=kind)


def tuning(kind: str = "dev", parallel: int = 1, **definition: Any) -> Given:
    limits = {"resourceLimits": {"maxParallelTrainingJobs": parallel}}
    return Given(type=TUNING_JOB, inputs={"config": limits, "trainingJobDefinition": definition}, kind=kind)


def runs(hours: float, kind: str = "dev") -> Given:
    return job(kind, stoppingCondition={"maxRuntimeInSeconds": hours * HOUR})


def spot(**inputs: Any) -> Given:
    return job(enableManagedSpotTraining=True, **inputs)


def instances(instance_type: str, count: int = 1) -> dict[str, Any]:
    return {"resourceConfig": {"instanceType": instance_type, "instanceCount": count}}


def endpoint(instance_type: str, count: int, kind: str = "dev") -> Given:
    variant = {"instanceType": instance_type, "initialInstanceCount": count}
    return Given(type=ENDPOINT_CONFIGURATION, inputs={"productionVariants": [variant]}, kind=kind)


def waits(runtime: int, wait: int) -> Given:
    return spot(stoppingCondition={"maxRuntimeInSeconds": runtime, "maxWaitTimeInSeconds": wait})


def model(**environment: str) -> Given:
    return Given(type=MODEL, inputs={"primaryContainer": {"environment": environment}})


def build(**variable: str) -> Given:
    return Given(type=PROJECT, inputs={"environment": {"environmentVariables": [variable]}})


CASES = [
    good("training-runtime", runs(24), runs(100, "prod"), tuning(stoppingCondition={"maxRuntimeInSeconds": HOUR})),
    good("training-runtime", runs(48), config={"runtime_hours": 48}),
    bad("training-runtime", "no max_runtime_in_seconds", job()),
    bad("training-runtime", "no max_runtime_in_seconds", tuning()),
    bad("training-runtime", "is 25 h; allowed in dev: 24 h", runs(25)),
    bad("training-runtime", "allowed in pull_request: 1 h", runs(2, "pull_request")),
    good("spot-needs-checkpoints", job(), spot(checkpointConfig={"s3Uri": "s3://data/checkpoints"})),
    bad("spot-needs-checkpoints", "loses the run", spot()),
    good("spot-max-wait", job(stoppingCondition={"maxRuntimeInSeconds": 60}), waits(60, 60)),
    bad("spot-max-wait", "is 59; allowed: the maximum run time, 60", waits(60, 59)),
    bad("spot-max-wait", "slipway:training.max_wait_minutes", spot(stoppingCondition={"maxRuntimeInSeconds": 60})),
    good("warm-pool-ceiling", job(resourceConfig={"keepAlivePeriodInSeconds": 1800}), job()),
    bad("warm-pool-ceiling", "for 31 min", job(resourceConfig={"keepAlivePeriodInSeconds": 1860})),
    bad("warm-pool-ceiling", "0 min", job("pull_request", resourceConfig={"keepAlivePeriodInSeconds": 60})),
    good("no-destructive-training-options", job(deleteModelPackagesOnDestroy=False)),
    bad("no-destructive-training-options", "deletes every package", job(deleteModelPackagesOnDestroy=True)),
    bad("no-destructive-training-options", "network interfaces", job(deleteVpcEnisOnDestroy=True)),
    good("gpu-ceiling", job(**instances("ml.g5.12xlarge")), job(**instances("ml.m5.large", 50))),
    good("gpu-ceiling", job("prod", **instances("ml.p5.48xlarge", 4)), endpoint("ml.g5.xlarge", 4)),
    good("gpu-ceiling", job(**instances("ml.p5.48xlarge")), config={"gpus": 8}),
    bad("gpu-ceiling", "takes 8 GPUs; allowed in dev: 4", job(**instances("ml.p5.48xlarge"))),
    bad("gpu-ceiling", "allowed in pull_request: 1", job("pull_request", **instances("ml.g5.xlarge", 2))),
    bad("gpu-ceiling", "takes 6 GPUs", tuning(parallel=3, **instances("ml.g5.xlarge", 2))),
    bad("gpu-ceiling", "takes 5 GPUs", endpoint("ml.g6.xlarge", 5)),
    bad("gpu-ceiling", "ml.p99.xlarge has is not known", job(**instances("ml.p99.xlarge"))),
    bad("gpu-ceiling", "takes 8", job(resourceConfig={"instanceGroups": [{"instanceType": "ml.p5.48xlarge"}]})),
    good("no-plaintext-secrets", job(hyperParameters={"max_tokens": "512", "tokenizer": "bpe", "secret": ARN})),
    good("no-plaintext-secrets", model(DB_PASSWORD=ARN), build(name="KEY", value="/p", type="PARAMETER_STORE")),
    bad("no-plaintext-secrets", "hyperparameter api_key holds a secret", job(hyperParameters={"api_key": "hunter2"})),
    bad("no-plaintext-secrets", "variable WHERE holds an AWS access key", job(environment={"WHERE": ACCESS_KEY})),
    bad("no-plaintext-secrets", "an AWS access key", tuning(staticHyperParameters={"x": f"k={ACCESS_KEY}"})),
    bad("no-plaintext-secrets", "an AWS access key", model(X=ACCESS_KEY)),
    bad("no-plaintext-secrets", "variable ID holds an AWS access key", build(name="ID", value=ACCESS_KEY)),
    good("secrets-by-arn", model(DB_PASSWORD=ARN, MAX_TOKENS="5"), job(environment={"HF_TOKEN": ARN})),
    bad("secrets-by-arn", "variable DB_PASSWORD can be read", model(DB_PASSWORD="hunter2")),
    bad("secrets-by-arn", "give a secret's ARN", job(environment={"HF_TOKEN": "hunter2"})),
]
