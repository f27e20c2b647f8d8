"""One endpoint: its status, the fleet that takes its traffic, and the changes of fleet (blue/green)."""

import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from localaws.cloud import Cloud
from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.instance import InstanceError

MakeFleet = Callable[[], Fleet]
INTERNAL = "InternalServerError: We encountered an internal error. Please try again."


class Deployment:
    """`record` holds the plain fields of DescribeEndpoint; `fleet` is what serves now, or None."""

    def __init__(self, cloud: Cloud, record: dict[str, Any]) -> None:
        self._cloud = cloud
        self.record = record
        self.fleet: Fleet | None = None
        self._coming: Fleet | None = None
        self._abandoned = False
        self._thread: threading.Thread | None = None

    def describe(self) -> dict[str, Any]:
        fleet = self.fleet
        return {**self.record, **({"ProductionVariants": _variants(fleet)} if fleet else {})}

    def _set(self, status: str, **fields: Any) -> None:
        self.record |= {**fields, "EndpointStatus": status, "LastModifiedTime": self._cloud.clock.now()}

    def _in_thread(self, status: str, work: Callable[[], None], fallback: str) -> None:
        """Set the status now, do the work behind; a failure leads to `fallback` with the FailureReason."""
        self._set(status)
        self._thread = threading.Thread(target=self._guarded, args=(work, fallback), daemon=True)
        self._thread.start()

    def _guarded(self, work: Callable[[], None], fallback: str) -> None:
        try:
            work()
        except InstanceError as error:
            self._set(fallback, FailureReason=str(error))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self._set(fallback, FailureReason=INTERNAL)

    def create(self, fleet: Fleet) -> None:
        """Creating -> InService, or Failed."""

        def work() -> None:
            self._launch(fleet)
            self.fleet = fleet
            self._set("InService")

        self._in_thread("Creating", work, "Failed")

    def update(self, fleet: Fleet) -> None:
        """Updating -> InService. The new fleet is healthy before traffic moves; then the old one drains.

        If the new fleet fails, the old one goes on, InService with a FailureReason.
        """

        def work() -> None:
            self._launch(fleet)
            old, self.fleet = self.fleet, fleet
            self.record["EndpointConfigName"] = fleet.config["EndpointConfigName"]
            self.record.pop("FailureReason", None)
            assert old is not None  # the API updates only what serves
            old.drain()
            self._set("InService")

        self._in_thread("Updating", work, "InService")

    def _launch(self, fleet: Fleet) -> None:
        self._coming = fleet
        if self._abandoned:
            raise InstanceError("The endpoint was abandoned.")
        try:
            fleet.launch()
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

        self._in_thread("Updating", work, "InService")

    def delete(self, forget: Callable[[], None]) -> None:
        """Deleting -> gone."""

        def work() -> None:
            fleet, self.fleet = self.fleet, None
            if fleet is not None:
                fleet.drain()
            forget()

        self._in_thread("Deleting", work, "Failed")

    def abandon(self) -> None:
        """Kill everything at once; returns when it is gone."""
        self._abandoned = True
        for fleet in (self._coming, self.fleet):
            if fleet is not None:
                fleet.kill()
        if self._thread is not None:
            self._thread.join()


def _variants(fleet: Fleet) -> list[dict[str, Any]]:
    return [
        {
            "VariantName": name,
            "DeployedImages": [{"SpecifiedImage": fleet.images[name], "ResolvedImage": fleet.images[name]}],
            "CurrentWeight": fleet.weights[name],
            "DesiredWeight": fleet.weights[name],
            "CurrentInstanceCount": fleet.live(name),
            "DesiredInstanceCount": fleet.counts[name],
        }
        for name in fleet.counts
    ]
