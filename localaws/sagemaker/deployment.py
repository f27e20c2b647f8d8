"""One endpoint: its status, the fleets that take its traffic, and the changes of fleet."""

import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from localaws.cloud import Cloud
from localaws.iam.platform import Actor
from localaws.sagemaker import summary
from localaws.sagemaker.asynchronous import Queue
from localaws.sagemaker.capture import Capture
from localaws.sagemaker.fleet import INTERNAL, Fleet
from localaws.sagemaker.guardrails import Plan
from localaws.sagemaker.instance import InstanceError
from localaws.sagemaker.rollout import AbandonedError, RollBackError, RollBackFailedError, Rollout
from localaws.sagemaker.traffic import Traffic, only

MIXED = "The rolling deployment and its rollback failed; the endpoint serves with a mix of both configurations. {error}"


class Deployment:
    """`record` holds the plain fields of DescribeEndpoint; `fleet` is what is deployed, or None; `traffic` routes."""

    def __init__(self, cloud: Cloud, region: str, record: dict[str, Any]) -> None:
        self.cloud = cloud
        self.region = region
        self.record = record
        self.fleet: Fleet | None = None
        self.traffic = Traffic()
        self.queue: Queue | None = None
        self.capture: Capture | None = None
        self.abandoned = cloud.clock.event()
        self.counts_before: dict[str, int] = {}
        self._pending: tuple[Fleet, float] | None = None  # with the time of its begin
        self._stage: tuple[str, float] = ("Creating", 0.0)
        self._coming: Fleet | None = None
        self._thread: threading.Thread | None = None

    def describe(self) -> dict[str, Any]:
        fleet, pending = self.fleet, self._pending
        shown = dict(self.record)
        if fleet:
            shown |= summary.variants(fleet) | summary.options(fleet)
        if pending:
            shown["PendingDeploymentSummary"] = summary.pending(*pending, self._stage)
        return shown

    @property
    def fleets(self) -> list[Fleet]:
        """The one that serves and the one that is on its way; of a move both."""
        pending = self._pending
        return [fleet for fleet in (self.fleet, pending and pending[0]) if fleet]

    def _set(self, status: str, **fields: Any) -> None:
        self.record |= {**fields, "EndpointStatus": status, "LastModifiedTime": self.cloud.clock.now()}

    def stage(self, name: str) -> None:
        """The new fleet's VariantStatus."""
        self._stage = (name, self.cloud.clock.now())

    def rolling_back(self) -> None:
        self._set("RollingBack")

    def _in_thread(self, status: str, work: Callable[[], None], fallback: str) -> None:
        """Set the status now, do the work behind; a failure leads to `fallback` with the FailureReason."""
        self._set(status)
        self._thread = threading.Thread(target=self._guarded, args=(work, fallback), daemon=True)
        self._thread.start()

    def _guarded(self, work: Callable[[], None], fallback: str) -> None:
        try:
            work()
        except AbandonedError:
            return
        except (InstanceError, RollBackError) as error:
            self._pending = None
            self._set(fallback, FailureReason=str(error))
        except RollBackFailedError as error:
            self._pending = None
            self._set("UpdateRollbackFailed", FailureReason=MIXED.format(error=error))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self._pending = None
            self._set(fallback, FailureReason=INTERNAL)

    def _await(self, fleet: Fleet) -> None:
        self.stage("Creating")
        self._pending = (fleet, self.cloud.clock.now())

    def _adopt(self, fleet: Fleet) -> None:
        """This fleet is the endpoint now: its traffic, its queue, its capture. What else had traffic goes."""
        left = [other for other in self.traffic.fleets if other is not fleet]
        self.fleet, self.traffic, self._pending = fleet, only(fleet), None
        for other in left:
            other.drain()
        self.record["EndpointConfigName"] = fleet.config["EndpointConfigName"]
        self.record.pop("FailureReason", None)
        self.queue = (self.queue or Queue(self)) if fleet.asynchronous else None
        actor = Actor(cloud=self.cloud, role=fleet.role, region=self.region)
        self.capture = Capture.of(actor, self.record["EndpointName"], fleet.config)
        if self.queue is not None:
            fleet.on_capacity = self.queue.arrived
            self.queue.kick()

    def create(self, fleet: Fleet) -> None:
        """Creating -> InService, or Failed."""

        def work() -> None:
            self.launch(fleet)
            self._adopt(fleet)
            self._set("InService")

        self._await(fleet)
        self._in_thread("Creating", work, "Failed")

    def update(self, fleet: Fleet, plan: Plan, then: Callable[[], None]) -> None:
        """Updating -> InService on the new fleet (after `then`), or on the old one with a FailureReason."""
        old = self.fleet
        assert old is not None  # the API updates only what serves
        self.counts_before = dict(old.counts)

        def work() -> None:
            Rollout(self, old, fleet, plan).run()
            self._adopt(fleet)
            then()
            self._set("InService")

        self._await(fleet)
        self._in_thread("Updating", work, "InService")

    def launch(self, fleet: Fleet, counts: Mapping[str, int] | None = None) -> None:
        """Start the fleet, or bring it to other counts. Raises InstanceError."""
        self._coming = fleet
        try:
            if self.abandoned.is_set():
                raise AbandonedError
            if counts is None:
                fleet.launch()
            else:
                fleet.scale(counts)
        finally:
            self._coming = None

    def scale(self, counts: Mapping[str, int], weights: Mapping[str, float]) -> None:
        """Updating -> InService with other counts and weights; traffic goes on."""
        fleet = self.fleet
        assert fleet is not None
        before = dict(fleet.counts)
        fleet.weights.update(weights)

        def work() -> None:
            try:
                fleet.scale(counts)
            except InstanceError:
                fleet.counts.update(before)
                raise
            self.record.pop("FailureReason", None)
            self._set("InService")
            if self.queue is not None:
                self.queue.kick()

        self._in_thread("Updating", work, "InService")

    def delete(self, forget: Callable[[], None]) -> None:
        """Deleting -> gone."""

        def work() -> None:
            fleets, self.fleet, self.traffic = self.traffic.fleets, None, Traffic()
            for fleet in fleets:
                fleet.drain()
            forget()

        self._in_thread("Deleting", work, "Failed")

    def abandon(self) -> None:
        """Kill everything at once; returns when it is gone."""
        self.abandoned.set()
        for fleet in (self._coming, self._pending and self._pending[0], self.fleet, *self.traffic.fleets):
            if fleet is not None:
                fleet.kill()
        if self._thread is not None:
            self._thread.join()
