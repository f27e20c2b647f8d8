"""The change that is about to be made, as the checks read it: the engine's preview, and the stack's own file.

Settings have their defaults in the program, so what a stack wants is read from the resources of a preview. A preview
that fails leaves the file, where only what somebody has written can be read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from slipway.ci import events
from slipway.cost.planned import Planned, Resource, known
from slipway.engine import Engine
from slipway.errors import SlipwayError
from slipway.project import Stack

MADE = ("create", "replace")
CHANGED = (*MADE, "update")
ENDED = "an unhandled error occurred: program exited with non-zero exit code: 1"  # the engine, after the reason
TRAINING = "aws:sagemaker/trainingJob:TrainingJob"
TUNING = "aws:sagemaker/hyperParameterTuningJob:HyperParameterTuningJob"
CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
TARGET = "aws:appautoscaling/target:Target"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`error` is the engine's, when the preview failed; then `resources` holds what the stack's file says."""

    planned: Planned
    changes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(type, name) -> the engine's word for what would happen."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The stack's file, its keys without `slipway:`."""
    error: str = ""

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type that the stack is to have."""
        return self.planned.of(kind)

    def changing(self, kind: str, *operations: str) -> list[Resource]:
        """Those among them that would be made, or have one of these done to them."""
        return [one for one in self.of(kind) if self.changes.get((kind, one.name)) in (operations or MADE)]

    def types(self, *operations: str) -> set[str]:
        """The types of which something would happen."""
        return {kind for (kind, _), change in self.changes.items() if change in (operations or CHANGED)}

    def section(self, name: str) -> Mapping[str, Any]:
        """A section of the stack's file."""
        found = self.config.get(name)
        return found if isinstance(found, Mapping) else {}


def make(stack: Stack) -> Plan:
    """Preview the stack; the engine's failure is part of the answer."""
    config = read_config(stack)
    raws: list[Mapping[str, Any]] = []
    try:
        raws += [raw for raw in Engine(stack).raw_events("preview") if raw]
    except SlipwayError as error:
        return of_file(stack, config, str(error).removesuffix(ENDED).strip())
    return of_preview(events.read_plan(raws, "resourcePreEvent", ""), config)


def of_preview(plan: events.Plan, config: Mapping[str, Any]) -> Plan:
    """Of a preview that somebody has made already."""
    assert plan.stack is not None  # only other verbs' plans have none
    changes = {(one.type, one.name): one.change for one in plan.changes}
    return Plan(planned=plan.stack.after, changes=changes, config=config)


def read_config(stack: Stack) -> dict[str, Any]:
    """The keys of Pulumi.<stack>.yaml under `slipway:`."""
    document = yaml.safe_load((stack.root / f"Pulumi.{stack.name}.yaml").read_text()) or {}
    values = document.get("config") or {}
    return {key.removeprefix("slipway:"): value for key, value in values.items() if key.startswith("slipway:")}


def _in_state(stack: Stack) -> set[str]:
    """The types of which the stack has something already; of an unreadable state nothing would be known: all."""
    try:
        state = json.loads(Engine(stack).call("stack", "export", "--stack", stack.name))
    except SlipwayError:
        return {ENDPOINT}
    resources = (state.get("deployment") or {}).get("resources") or []
    return {one["type"] for one in resources} & {ENDPOINT}


def of_file(stack: Stack, config: Mapping[str, Any], error: str) -> Plan:
    """What can be told without the program: a run and an endpoint, as far as their instances are written down."""
    found = []
    training, serving = (config.get(name) or {} for name in ("training", "serving"))
    if training.get("instance_type"):
        resources = {
            "instanceType": training["instance_type"],
            "instanceCount": training.get("instance_count", 1),
            "keepAlivePeriodInSeconds": 60 * training.get("warm_pool_minutes", 0),
        }
        inputs = {"resourceConfig": resources, "enableManagedSpotTraining": training.get("spot", False)}
        found.append(Resource(type=TRAINING, name="training", inputs=inputs))
    if serving.get("instance_type") and serving.get("mode") != "serverless":
        bounds = serving.get("instances") or {}
        count = max(1, bounds.get("min", 1))
        variant = {"variantName": "main", "instanceType": serving["instance_type"], "initialInstanceCount": count}
        scaling = {"resourceId": "/variant/main", "maxCapacity": bounds.get("max", count)}
        found.append(Resource(type=TARGET, name="scaling", inputs=scaling))
        found.append(Resource(type=CONFIGURATION, name="serving", inputs=known({"productionVariants": [variant]})))
    if serving.get("enabled", True) and config.get("model", "latest") not in ("off", False):
        found.append(Resource(type=ENDPOINT, name="endpoint", inputs={"name": stack.prefix}))
    there = _in_state(stack)
    changes = {(one.type, one.name): "create" for one in found if one.type not in there}
    planned = Planned(region=stack.region, resources=tuple(found))
    return Plan(planned=planned, changes=changes, config=config, error=error)
