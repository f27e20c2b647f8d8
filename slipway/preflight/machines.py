"""The instances that a plan wants: of which type, how many at once and at most, for what."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from slipway.cost.planned import Resource
from slipway.preflight.plan import CONFIGURATION, ENDPOINT, TARGET, TRAINING, TUNING, Plan

KEYS = {"Training": "Training", "SpotTraining": "Training", "WarmPool": "Training", "Hosting": "Hosting"}
"""A quota's use -> the component of the price book."""
ROLLING = "rollingUpdatePolicy"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`least` instances are needed for the change to succeed, `most` if it scales as far as it may."""

    use: str
    type: str
    least: int
    most: int
    what: str
    fallback: bool = False
    """Of the capacity ladder: a rung that cannot be had does not stop the change."""


def wanted(plan: Plan) -> list[Wanted]:
    """Of everything that would start; of what runs already only as far as it may grow."""
    return [*_training(plan), *_tuning(plan), *_hosting(plan)]


def _training(plan: Plan) -> Iterator[Wanted]:
    for job in plan.changing(TRAINING):
        first = _of_job("the run", job.get("resourceConfig", default={}), job.get("enableManagedSpotTraining"))
        yield from first
        for number, rung in enumerate(plan.section("training").get("fallbacks") or (), 2):
            use = "SpotTraining" if rung.get("spot") else "Training"
            one = replace(first[0], use=use, type=str(rung.get("instance_type", "")), fallback=True)
            yield replace(one, what=f"rung {number} of the run's capacity ladder")


def _of_job(what: str, resources: Any, spot: Any, times: int = 1) -> list[Wanted]:
    count = int(resources.get("instanceCount", 1)) * times
    kind = resources.get("instanceType", "")
    made = Wanted(use="SpotTraining" if spot else "Training", type=kind, least=count, most=count, what=what)
    if not resources.get("keepAlivePeriodInSeconds"):
        return [made]
    return [made, replace(made, use="WarmPool", what=f"the warm pool of {what}")]


def _tuning(plan: Plan) -> Iterator[Wanted]:
    for job in plan.changing(TUNING):
        definition = job.get("trainingJobDefinition", default={})
        limits = job.get("hyperParameterTuningJobConfig", "resourceLimits", default={})
        resources = definition.get("resourceConfig", {})
        spot, parallel = definition.get("enableManagedSpotTraining"), int(limits.get("maxParallelTrainingJobs", 1))
        yield from _of_job("the tuning job", resources, spot, parallel)


def _hosting(plan: Plan) -> Iterator[Wanted]:
    if not plan.of(ENDPOINT):
        return
    for config in plan.of(CONFIGURATION):
        starts = config in plan.changing(CONFIGURATION) or bool(plan.changing(ENDPOINT))
        for member in ("productionVariants", "shadowProductionVariants"):
            for variant in config.get(member, default=[]):
                if "instanceType" in variant:
                    yield _of_variant(plan, variant, starts)


def _of_variant(plan: Plan, variant: Any, starts: bool) -> Wanted:
    name = variant.get("variantName", "")
    targets = _targets(plan, name)
    fewest = max([1, *(int(one.get("minCapacity", default=0)) for one in targets)])
    count = int(variant.get("initialInstanceCount", fewest))  # which a preview may not know yet
    most = max([count, *(int(one.get("maxCapacity", default=0)) for one in targets)])
    what = f"the endpoint's variant {name}"
    return Wanted(use="Hosting", type=variant["instanceType"], least=count if starts else 0, most=most, what=what)


def _targets(plan: Plan, variant: str) -> list[Resource]:
    ending = f"/variant/{variant}"
    return [one for one in plan.of(TARGET) if str(one.get("resourceId", default="")).endswith(ending)]


def serverless_concurrency(plan: Plan) -> int:
    """MaxConcurrency of the serverless variants together."""
    variants = [one for config in plan.of(CONFIGURATION) for one in config.get("productionVariants", default=[])]
    return sum(int(one.get("serverlessConfig", {}).get("maxConcurrency", 0)) for one in variants)


def doubles(plan: Plan) -> bool:
    """Whether a move of the endpoint starts a whole new fleet beside the old one (blue/green, all at once too)."""
    moves = [one for one in plan.of(ENDPOINT) if not one.get("deploymentConfig", ROLLING)]
    return bool(plan.changing(CONFIGURATION) and moves and not plan.changing(ENDPOINT))
