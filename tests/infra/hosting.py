"""Serving and Monitoring alone under mocks: what they declare for some settings, wired as the program does it."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Output

from infra.endpoint import Serving, ServingArgs
from infra.monitoring import Monitoring, MonitoringArgs
from infra.settings import Monitoring as MonitoringSettings
from infra.settings import Serving as ServingSettings
from localaws.pulumi_provider.check import check
from localaws.pulumi_provider.inputs import complete
from localaws.pulumi_provider.table import TABLE
from tests.infra.recorder import ACCOUNT, REGION, Declared, FakeActions, record

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d9f3b1c-0000-4000-8000-000000000000"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/slipway-dev-image-abc1234:auto-1"
PREFIX = "slipway-dev"


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """What was declared, exported and asked."""

    declared: list[Declared]
    exports: dict[str, Any]
    actions: FakeActions

    def one(self, kind: str, name: str = "") -> Declared:
        (found,) = self.all(kind, name)
        return found

    def all(self, kind: str, name: str = "") -> list[Declared]:
        return [one for one in self.declared if one.type.endswith(f":{kind}") and name in one.name]

    @property
    def variant(self) -> dict[str, Any]:
        found: dict[str, Any] = self.one("EndpointConfiguration").inputs["productionVariants"][0]
        return found


def hosted(
    serving: dict[str, Any] | None = None,
    monitoring: dict[str, Any] | None = None,
    *,
    key: bool = False,
    preview: bool = False,
    unknown: bool = False,
    running: int = 0,
    price_per_hour: float | None = None,
    **more: Any,
) -> Hosted:
    actions = FakeActions()
    actions.running = running
    settings = ServingSettings.model_validate(serving or {})

    def program() -> None:
        value = _unknown if unknown else Output.from_input
        kms_key = value(KEY) if key else None
        told = Monitoring(
            "monitoring",
            MonitoringArgs(
                prefix=PREFIX,
                account=value(ACCOUNT),
                region=REGION,
                monitoring=MonitoringSettings.model_validate(monitoring or {}),
                serving=settings,
                kms_key_arn=kms_key,
                price_per_hour=price_per_hour,
            ),
        )
        made = Serving(
            "serving",
            ServingArgs(
                prefix=PREFIX,
                serving=settings,
                image=value(IMAGE),
                artifact=value("s3://data/runs/r/output/model.tar.gz"),
                shadow_artifact=value("s3://data/shadow/model.tar.gz") if settings.shadow else None,
                role=value(f"arn:aws:iam::{ACCOUNT}:role/serve"),
                bucket=value("data-bucket"),
                kms_key_arn=kms_key,
                topic=told.topic,
                rollback_alarms=told.rollback_alarms,
                log_retention_days=30,
                actions=actions,  # type: ignore[arg-type]
                **({"protect": False} | more),
            ),
        )
        pulumi.export("alarms", told.alarms)
        pulumi.export("endpoint", made.endpoint)

    declared, exports = record(program, preview=preview)
    return Hosted(declared=declared, exports=exports, actions=actions)


def _unknown(_: str) -> Output[Any]:
    """An output of a resource that a preview has not made."""
    known, value = asyncio.get_event_loop().create_future(), asyncio.get_event_loop().create_future()
    known.set_result(False)
    value.set_result(None)
    return Output(set(), value, known)


def faults(declared: list[Declared]) -> list[str]:
    """What the provider's check, which asks AWS's own API model, says against the declared inputs."""
    wrong = []
    for one in declared:
        if one.type.startswith("aws:"):
            row = TABLE[one.type]
            inputs, _ = complete(row, one.name, {}, one.inputs, {}, b"seed")
            wrong += [f"{one.name}.{fault.path}: {fault.reason}" for fault in check(row, inputs)]
    return wrong
