"""Plans of the program (`pulumi preview --json`), cut down to what bills; and small ones made by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway.cost.planned import Change, Planned, Resource, read

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def plan(name: str) -> Planned:
    """The plan of a stack that is not deployed yet."""
    return change(name).after


def change(name: str) -> Change:
    return read(json.loads((FOLDER / f"{name}.json").read_text()))


def made(*resources: tuple[str, str, Mapping[str, Any]], region: str = "us-east-1") -> Planned:
    """A plan of (type, name, inputs)."""
    return Planned(
        region=region,
        resources=tuple(Resource(type=kind, name=name, inputs=inputs) for kind, name, inputs in resources),
    )


def endpoint(variant: Mapping[str, Any], **more: Any) -> tuple[tuple[str, str, Mapping[str, Any]], ...]:
    """An endpoint of one variant, called `main`."""
    configuration = {"name": "config", "productionVariants": [{"variantName": "main", **variant}], **more}
    return (
        ("aws:sagemaker/endpointConfiguration:EndpointConfiguration", "config", configuration),
        ("aws:sagemaker/endpoint:Endpoint", "endpoint", {"name": "s", "endpointConfigName": "config"}),
    )


def scaling(least: int, most: int) -> tuple[str, str, Mapping[str, Any]]:
    """Scaling of that variant."""
    inputs = {"resourceId": "endpoint/s/variant/main", "minCapacity": least, "maxCapacity": most}
    return ("aws:appautoscaling/target:Target", "target", inputs)
