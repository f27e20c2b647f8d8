"""From one fleet to the next: all at once, canary, linear or rolling, watched by alarms, and back again if need be.

Traffic moves before anything is taken away, so no request is lost on the way there or back.
"""

from typing import TYPE_CHECKING

from localaws.alarms import store as alarms
from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.guardrails import ROLLING, Plan
from localaws.sagemaker.instance import InstanceError
from localaws.sagemaker.traffic import Traffic, only, split

if TYPE_CHECKING:
    from localaws.sagemaker.deployment import Deployment

LOOK_SECONDS = 10  # between two looks at the alarms while baking
TRIPPED = (
    "The deployment was rolled back because of alarms in the ALARM state during the baking period: {names}. "
    "The endpoint runs its previous configuration."
)
TOO_LONG = (
    "The deployment was rolled back because it did not complete within its MaximumExecutionTimeoutInSeconds of "
    "{limit} seconds. The endpoint runs its previous configuration."
)


class RollBackError(Exception):
    """The deployment must go back; the text becomes the endpoint's FailureReason."""


class RollBackFailedError(Exception):
    """The old fleet did not come back; the text is the reason."""


class AbandonedError(Exception):
    """localaws is forgetting the endpoint."""


class Rollout:
    """One deployment of `new` in place of `old`."""

    def __init__(self, deployment: "Deployment", old: Fleet, new: Fleet, plan: Plan) -> None:
        self._deployment, self._old, self._new, self._plan = deployment, old, new, plan
        self._clock = deployment.cloud.clock
        limit = plan.limit_seconds
        self._deadline = self._clock.now() + limit if limit is not None else float("inf")

    def run(self) -> None:
        """Returns when the new fleet has taken over and the old one is gone.

        Raises RollBackError or InstanceError after having gone back, RollBackFailedError when even that failed.
        """
        try:
            if self._plan.strategy == ROLLING:
                self._roll()
            else:
                self._shift()
        except AbandonedError:
            raise
        except Exception:
            self._back()
            raise

    def _shift(self) -> None:
        self._deployment.launch(self._new)
        for share in self._plan.shares:
            self._deployment.stage("ActivatingTraffic")
            self._deployment.traffic = split(self._old, self._new, share)
            self._bake()
        self._wait(self._plan.termination_wait_seconds)
        self._deployment.stage("Deleting")
        self._old.drain()

    def _roll(self) -> None:
        """A batch comes up and takes traffic; it bakes; as many of the old fleet go."""
        variant = self._new.production[0]
        before, after = self._old.counts[variant], self._new.counts[variant]
        self._new.counts[variant] = 0
        for moved in range(self._plan.batch, max(before, after) + self._plan.batch, self._plan.batch):
            self._deployment.stage("Creating")
            self._deployment.launch(self._new, {variant: min(moved, after)})
            self._deployment.stage("ActivatingTraffic")
            self._deployment.traffic = self._by_instances(variant)
            self._bake()
            left, taken = max(before - moved, 0), min(moved, after)
            self._deployment.traffic = split(self._old, self._new, taken / max(taken + left, 1))
            self._old.scale({variant: left})
        self._new.scale({variant: after})
        self._old.drain()

    def _by_instances(self, variant: str) -> Traffic:
        old, new = self._old.live(variant), self._new.live(variant)
        return split(self._old, self._new, new / max(old + new, 1))

    def _bake(self) -> None:
        """Wait the interval of the plan with an eye on the alarms. Raises RollBackError."""
        self._deployment.stage("Baking")
        begin = self._clock.now()
        self._wait(self._plan.wait_seconds, since=begin)

    def _wait(self, seconds: float, since: float | None = None) -> None:
        """Alarms count from `since` on, if it is given."""
        cloud, region, end = self._deployment.cloud, self._deployment.region, self._clock.now() + seconds
        while True:
            if since is not None and self._plan.alarms:
                tripped = alarms.tripped(cloud, region, self._plan.alarms, since)
                if tripped:
                    raise RollBackError(TRIPPED.format(names=", ".join(tripped)))
            now = self._clock.now()
            if now >= self._deadline:
                raise RollBackError(TOO_LONG.format(limit=self._plan.limit_seconds))
            if now >= end:
                return
            pause = min(end, self._deadline, now + LOOK_SECONDS) - now
            if self._clock.wait(self._deployment.abandoned, pause):
                raise AbandonedError

    def _back(self) -> None:
        """All traffic to the old fleet, then the new one goes."""
        moved = self._deployment.traffic.fleets != [self._old]
        if moved:
            self._deployment.rolling_back()
        if self._plan.strategy == ROLLING:
            try:
                self._roll_back(self._new.production[0])
            except InstanceError as error:
                raise RollBackFailedError(str(error)) from error
        self._deployment.traffic = only(self._old)
        self._new.drain()

    def _roll_back(self, variant: str) -> None:
        wanted = self._deployment.counts_before[variant]
        while self._old.counts[variant] < wanted:
            now = min(self._old.counts[variant] + self._plan.rollback_batch, wanted)
            self._deployment.launch(self._old, {variant: now})
            self._deployment.traffic = self._by_instances(variant)
            self._new.scale({variant: min(self._new.counts[variant], wanted - now)})
