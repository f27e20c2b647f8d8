"""What the guardian's tests share: a stack's endpoint and jobs in an embedded AWS, and a guardian that is called here.

Topic and budget are plain objects, so that a test sees what was told; everything else is the embedded AWS.
"""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.guardian.facts import Facts
from infra.guardian.handler import respond
from infra.guardian.memory import KEY, State
from infra.guardian.spend import start_of_month
from tests.unit.localaws.aws import ACCOUNT, Aws, unique, wait_for
from tests.unit.localaws.hosting import NAME_SERVER, model, variant

SLEEPER = "#!/bin/sh\ntrap 'exit 0' TERM\necho up\nwhile :; do sleep 0.1; done\n"
RATES = {"Hosting:ml.m5.large": "0.5", "Training:ml.m5.large": "2", "BatchTransform:ml.m5.large": "1"}
HOUR, DAY = 3600, 86400


class Topic:
    """Hears what the guardian publishes."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> None:  # noqa: N803 (boto3's names)
        self.heard.append((Subject, Message))

    @property
    def subjects(self) -> list[str]:
        return [subject.partition(": ")[2] for subject, _ in self.heard]


class Budgets:
    """A budget that says what it is told to."""

    def __init__(self) -> None:
        self.spent_usd = "0"

    def describe_budget(self, *, AccountId: str, BudgetName: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        return {"Budget": {"CalculatedSpend": {"ActualSpend": {"Amount": self.spent_usd, "Unit": "USD"}}}}


class FailingCall:
    """A client that lets so many calls pass and then fails each: before the call, so nothing of it happens."""

    def __init__(self, inner: Any, allow: "Allowance") -> None:
        self._inner, self._allow = inner, allow

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)
        if name in ("meta", "can_paginate"):
            return operation

        def call(*words: Any, **arguments: Any) -> Any:
            self._allow.spend(name)
            return operation(*words, **arguments)

        return call


class Allowance:
    """So many calls, of those whose names begin like one of `only`."""

    def __init__(self, calls: int, only: tuple[str, ...] = ()) -> None:
        self.calls, self.only, self.spent = calls, only, False

    def spend(self, name: str) -> None:
        if self.only and not name.startswith(self.only):
            return
        if self.calls == 0:
            self.spent = True
            raise ClientError({"Error": {"Code": "InternalFailure", "Message": "try later"}}, name)
        self.calls -= 1


class Stage:
    """A stack in the embedded AWS `aws`, whose clock is stepped."""

    def __init__(self, aws: Aws, image: str, **facts: Any) -> None:
        self.aws, self.image = aws, image
        self.topic, self.budgets = Topic(), Budgets()
        stack = unique("s")
        roles = (self._role(f"demo-{stack}-train"), self._role(f"demo-{stack}-serve"))
        self.facts = Facts(
            project="demo", stack=stack, account=ACCOUNT, bucket=self._bucket(), topic="topic",
            **({"roles": roles, "rates": RATES} | facts),
        )  # fmt: skip
        self.config = ""

    def _bucket(self) -> str:
        name = unique("demo-data")
        self.aws.client("s3").create_bucket(Bucket=name)
        return name

    def _role(self, name: str) -> str:
        self.aws.client("iam").create_role(
            RoleName=name, AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[]}'
        )
        return name

    @property
    def now(self) -> float:
        found: float = self.aws.get("/_localaws/clock")["now"]
        return found

    def advance(self, seconds: float) -> None:
        self.aws.post("/_localaws/clock", {"advance_seconds": seconds})

    def into_a_month(self) -> None:
        """To a time of which the month has days left: what a test spends must not fall into two."""
        while start_of_month(self.now + 3 * DAY) != start_of_month(self.now):
            self.advance(DAY)

    def client(self, service: str) -> Any:
        return {"sns": self.topic, "budgets": self.budgets}.get(service) or self.aws.client(service)

    def fire(self, action: str = "check", allowance: Allowance | None = None, **more: Any) -> dict[str, Any]:
        event = {"action": action, "time": self.now, "attended": True, **more}
        return self.send(event, allowance)

    def send(self, event: Mapping[str, Any], allowance: Allowance | None = None) -> dict[str, Any]:
        def client(service: str) -> Any:
            found = self.client(service)
            return FailingCall(found, allowance) if allowance else found

        answer = respond(json.loads(json.dumps(event)), self.facts, client, unique("run"), pause=lambda seconds: None)
        json.dumps(answer)
        return answer

    def memory(self) -> State:
        found = self.aws.client("s3").get_object(Bucket=self.facts.bucket, Key=KEY)
        state: State = json.loads(found["Body"].read())
        return state

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.facts.tags.items()]

    def up(self) -> str:
        """The stack's endpoint, in service, with scaling as the program makes it."""
        sagemaker, name = self.aws.client("sagemaker"), self.facts.prefix
        self.config = unique(f"{name}-config")
        made = model(self.aws, self.image, {"NAME": name})
        sagemaker.create_endpoint_config(EndpointConfigName=self.config, ProductionVariants=[variant(made)])
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=self.config, Tags=self.tags)
        self.aws.settled(name)
        self.scale()
        return name

    def scale(self) -> None:
        scaling = self.aws.client("application-autoscaling")
        of_target = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{self.facts.prefix}/variant/main",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        suspended = {
            "DynamicScalingInSuspended": True,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        }
        scaling.register_scalable_target(
            **of_target, MinCapacity=1, MaxCapacity=3, SuspendedState=suspended, Tags=self.facts.tags
        )
        metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        scaling.put_scaling_policy(
            **of_target,
            PolicyName="track",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={"TargetValue": 600.0, "PredefinedMetricSpecification": metric},
        )
        scaling.put_scheduled_action(
            **of_target,
            ScheduledActionName="night",
            Schedule="cron(0 20 * * ? *)",
            Timezone="Europe/Paris",
            ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 1},
        )

    def scaling(self) -> list[Any]:
        """Everything that scaling knows of the endpoint, without the times and names that AWS makes up."""
        scaling, resource = self.aws.client("application-autoscaling"), f"endpoint/{self.facts.prefix}/variant/main"
        names = {"ServiceNamespace": "sagemaker", "ResourceId": resource}
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])[
            "ScalableTargets"
        ]
        tags = [scaling.list_tags_for_resource(ResourceARN=one["ScalableTargetARN"])["Tags"] for one in targets]
        policies = scaling.describe_scaling_policies(**names)["ScalingPolicies"]
        scheduled = scaling.describe_scheduled_actions(**names)["ScheduledActions"]
        made_up = ("CreationTime", "ScalableTargetARN", "PolicyARN", "Alarms", "ScheduledActionARN")
        found = [*targets, *policies, *scheduled]
        return [*tags, *({key: value for key, value in one.items() if key not in made_up} for one in found)]

    def status(self, name: str = "") -> str:
        """The endpoint's, `gone` when there is none."""
        try:
            found: str = self.aws.describe(name or self.facts.prefix)["EndpointStatus"]
        except ClientError:
            return "gone"
        return found

    def gone(self) -> bool:
        wait_for(lambda: self.status() == "gone", f"the end of {self.facts.prefix}")
        return True

    def back(self) -> None:
        """Checks until a start has ended."""
        self.aws.settled(self.facts.prefix)
        assert self.fire()["phase"] == "running"

    def run_name(self, prefix: str = "") -> str:
        return f"{prefix or self.facts.prefix}-{unique('')[1:]}abcd-{unique('')[1:8]}"

    def job(self, name: str = "", **more: Any) -> str:
        limit = {"MaxRuntimeInSeconds": 5 * DAY}
        named = name or self.run_name()
        started = self.aws.train(self.image, TrainingJobName=named, StoppingCondition=limit, **more)
        wait_for(lambda: self.aws.job(started).get("TrainingStartTime"), f"the start of {started}")
        return started

    def job_status(self, name: str) -> str:
        found: str = self.aws.job(name)["TrainingJobStatus"]
        return found


def image(aws: Aws) -> str:
    return aws.image({"serve": NAME_SERVER, "train": SLEEPER})
