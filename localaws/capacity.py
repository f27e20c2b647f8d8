"""AWS without free instances of a type, rehearsed: who asks for some is told so in AWS's words, and nothing bills.

    curl -X POST $AWS_ENDPOINT_URL/_localaws/capacity -d '{"instance_type": "ml.g5.xlarge", "component": "Training",
        "spot": true, "available": 0}'

`component` is Training or Hosting, `spot` true, false or null for both (Hosting has no spot), `available` 0 for none or
null for as many as anybody wants. What runs already keeps its instances; a reset brings all of them back.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from localaws.cloud import GLOBAL, Cloud, Store

COMPONENTS = ("Training", "Hosting")
FIELDS = ("instance_type", "component", "spot", "available")
NEEDED = ("instance_type", "component", "available")
TRAINING_REASON = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
HOSTING_REASON = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. Please retry using a "
    "different ML instance type or after some time."
)
WAITING = "Insufficient capacity error from EC2 while launching instances, retrying!"
DIFFERENCES = (
    (
        "no capacity",
        "an on-demand job ends at once as Failed; AWS tries for minutes, or hours, before it says so. A spot job waits "
        "in Starting until there is capacity or MaxWaitTimeInSeconds has passed, as in AWS",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """Instances that are not to be had. `spot` None: neither as spot nor on demand."""

    instance_type: str
    component: str
    spot: bool | None = None

    def concerns(self, component: str, instance_type: str, spot: bool) -> bool:
        return (self.component, self.instance_type) == (component, instance_type) and self.spot in (None, spot)


class Shortages(Store):
    """Those of one localaws, in every region."""

    def __init__(self) -> None:
        self.known: set[Shortage] = set()

    def describe(self) -> dict[str, Any]:
        listed = sorted(self.known, key=lambda one: (one.component, one.instance_type, str(one.spot)))
        return {"shortages": [asdict(one) for one in listed]}


def is_short(cloud: Cloud, component: str, instance_type: str, spot: bool = False) -> bool:
    """Whether nobody gets an instance of this type now."""
    known = set(cloud.store(GLOBAL, Shortages).known)
    return any(one.concerns(component, instance_type, spot) for one in known)


def describe(cloud: Cloud) -> dict[str, Any]:
    """GET /_localaws/capacity."""
    return cloud.store(GLOBAL, Shortages).describe()


def change(cloud: Cloud, body: bytes) -> dict[str, Any]:
    """POST /_localaws/capacity. Raises ValueError for a wrong body."""
    shortage, available = _read(body)
    shortages = cloud.store(GLOBAL, Shortages)
    same = {one for one in shortages.known if shortage.spot is None and _place(one) == _place(shortage)}
    shortages.known = (shortages.known - same - {shortage}) | (set() if available is None else {shortage})
    return shortages.describe()


def _place(shortage: Shortage) -> tuple[str, str]:
    return shortage.component, shortage.instance_type


def _read(body: bytes) -> tuple[Shortage, int | None]:
    wanted = json.loads(body or b"{}")
    if not isinstance(wanted, dict) or set(wanted) - set(FIELDS) or set(NEEDED) - set(wanted):
        given = ", ".join(sorted(wanted)) if isinstance(wanted, dict) and wanted else repr(wanted)
        raise ValueError(f"given: {given}; needed: {', '.join(NEEDED)}; allowed: spot")
    if wanted["component"] not in COMPONENTS:
        raise ValueError(f"component is {wanted['component']!r}; allowed: {', '.join(COMPONENTS)}")
    if wanted["available"] not in (0, None) or wanted["available"] is False:
        raise ValueError(f"available is {wanted['available']!r}; allowed: 0 for none, null for no limit")
    spot = wanted.get("spot")
    if spot is not None and not isinstance(spot, bool):
        raise ValueError(f"spot is {spot!r}; allowed: true, false, null for both")
    shortage = Shortage(instance_type=str(wanted["instance_type"]), component=wanted["component"], spot=spot)
    return shortage, wanted["available"]
