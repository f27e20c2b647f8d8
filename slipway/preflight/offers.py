"""Whether SageMaker has the region and the instance types, and what their prices are.

SageMaker's API model (botocore's) lists the types of training and hosting; which of them a region has, no call tells.
A price in the region is evidence that it is sold there; a missing one is a warning, for the price book is not whole.
"""

import difflib
from collections.abc import Iterator

import boto3

from slipway.preflight.finding import Finding
from slipway.preflight.machines import KEYS, Wanted, wanted
from slipway.preflight.plan import Plan
from slipway.prices.book import PriceMissing, load
from slipway.project import Stack

CHECK = "instances"
SHAPES = {"Training": "TrainingInstanceType", "Hosting": "ProductionVariantInstanceType"}


def check(stack: Stack, plan: Plan) -> list[Finding]:
    """One finding a region and type."""
    found = {(KEYS[one.use], one.type): one for one in wanted(plan)}
    return [
        *_region(stack),
        *(finding for (component, _), one in found.items() for finding in _type(stack, component, one)),
    ]


def _region(stack: Stack) -> Iterator[Finding]:
    known = boto3.Session().get_available_regions("sagemaker")
    if stack.region not in known:
        near = difflib.get_close_matches(stack.region, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield Finding(
            check="region",
            level="warning",
            found=f"SageMaker's endpoints have no region {stack.region}{hint}",
            mend=f"pulumi config set aws:region REGION --stack {stack.name}",
        )


def _type(stack: Stack, component: str, one: Wanted) -> Iterator[Finding]:
    model = stack.client("sagemaker").meta.service_model
    known = list(model.shape_for(SHAPES[component]).enum)
    if one.type not in known:
        near = ", ".join(difflib.get_close_matches(one.type, known, n=3)) or "none"
        yield Finding(
            check=CHECK,
            level="problem",
            found=f"{one.type} is no instance type of SageMaker {component.lower()}, as far as this botocore knows; "
            f"near it: {near}",
            needed=one.what,
            mend=f"change the type in Pulumi.{stack.name}.yaml (a newer type: uv pip install -U botocore)",
        )
        return
    try:
        price = load().instance(stack.region, component, one.type)
    except PriceMissing as error:
        yield Finding(
            check=CHECK,
            level="warning",
            found=f"{one.type} may not be offered in {stack.region}, and what it costs is not known: {error}",
            needed=one.what,
            mend=f"slipway prices refresh --region {stack.region}",
        )
        return
    found = f"{one.type} costs USD {price.usd.normalize():f} an hour in {stack.region}"
    yield Finding(check=CHECK, level="ok", found=found, needed=one.what)
