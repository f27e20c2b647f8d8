"""All instances that serve one endpoint configuration: start, route, scale, replace, drain.

A serverless variant has one process for each request that it serves at a time: `take` starts one where all are busy.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from localaws import capacity
from localaws.cloud import Cloud
from localaws.errors import AwsError
from localaws.money import meters
from localaws.sagemaker import memory, servers
from localaws.sagemaker.choice import Request, choose
from localaws.sagemaker.instance import Instance, InstanceError, in_parallel
from localaws.sagemaker.multi_model import Models

INTERNAL = "InternalServerError: We encountered an internal error. Please try again."
DRAIN_SECONDS = 60  # no invocation may take longer
REPLACE_PAUSE_SECONDS = 10  # between two attempts to replace a server that keeps dying
SERVERLESS_IDLE_SECONDS = 600  # AWS says only "idle"; a process without a request for so long is stopped


class Fleet:
    """`counts` and `weights` are the desired ones, by variant; shadow variants are among them, but not in `production`.

    `serverless` holds the ServerlessConfig of the variants that have one; their counts are the provisioned ones.
    """

    def __init__(
        self,
        cloud: Cloud,
        region: str,
        endpoint: str,
        config: Mapping[str, Any],
        models: Mapping[str, Mapping[str, Any]],
        counts: Mapping[str, int],
        weights: Mapping[str, float],
    ) -> None:
        self._cloud = cloud
        self.config = config
        self.counts = dict(counts)
        self.weights = dict(weights)
        self._instances: list[Instance] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = cloud.clock.event()
        shadows = config.get("ShadowProductionVariants", [])
        self.variants = {variant["VariantName"]: variant for variant in [*config["ProductionVariants"], *shadows]}
        self.production = [variant["VariantName"] for variant in config["ProductionVariants"]]
        self.shadows = [variant["VariantName"] for variant in shadows]
        self.asynchronous = bool(config.get("AsyncInferenceConfig"))
        self.serverless = {
            name: dict(variant["ServerlessConfig"])
            for name, variant in self.variants.items()
            if "ServerlessConfig" in variant
        }
        self._servers = servers.of_variants(region, endpoint, self.variants, models)
        self._bill = meters.Hosting(cloud, region, endpoint, self.variants, asynchronous=self.asynchronous)
        self.on_capacity: Callable[[], None] = lambda: None  # called when an instance has taken a dead one's place

    @property
    def role(self) -> str:
        """The role with which the endpoint itself reads and writes: that of its first variant's model."""
        return self._servers[self.production[0]].role

    @property
    def multi_model(self) -> bool:
        return any(self._servers[name].multi_model for name in self.production)

    @property
    def images(self) -> dict[str, str]:
        return {name: server.container["Image"] for name, server in self._servers.items()}

    def instances(self, variant: str) -> list[Instance]:
        """Those that are healthy."""
        return [item for item in list(self._instances) if item.server.variant == variant and item.healthy]

    def live(self, variant: str) -> int:
        return len(self.instances(variant))

    def busy(self, variant: str) -> int:
        """Requests in flight."""
        return sum(item.outstanding for item in list(self._instances) if item.server.variant == variant)

    def launch(self) -> None:
        """Start what the counts ask for and wait until all are healthy; else stop them. Raises InstanceError.

        One process of a serverless variant starts in any case: AWS tries the container before it says InService.
        """
        wanted = {name: count or int(name in self.serverless) for name, count in self.counts.items()}
        missing = [name for name, count in wanted.items() for _ in range(count - self.live(name))]
        for variant in missing:
            if capacity.is_short(self._cloud, "Hosting", self.variants[variant].get("InstanceType", "")):
                raise InstanceError(capacity.HOSTING_REASON)
        started = [self._add(name) for name in missing]
        errors: list[InstanceError] = []
        in_parallel(lambda item: self._bring_up(item, errors), started)
        if errors:
            for item in started:
                self._remove(item)
            in_parallel(Instance.kill, started)
            raise errors[0]
        self._bill.provision(self.counts)

    def _add(self, variant: str) -> Instance:
        item = Instance(cloud=self._cloud, server=self._servers[variant], meter=partial(self._bill.start, variant))
        item.models = Models(item) if item.server.multi_model else None
        with self._lock:
            self._instances.append(item)
        return item

    def _remove(self, item: Instance) -> None:
        with self._changed:
            item.healthy = False
            if item in self._instances:
                self._instances.remove(item)
            self._changed.notify_all()

    def _bring_up(self, item: Instance, errors: list[InstanceError]) -> None:
        try:
            began = time.perf_counter()
            item.start(self._ended)
            item.wait_healthy()
            if item.server.variant in self.serverless:
                memory.check(item, self.serverless[item.server.variant]["MemorySizeInMB"])
            item.used, item.setup_seconds = self._cloud.clock.now(), time.perf_counter() - began
        except InstanceError as error:
            errors.append(error)
        except Exception:  # in a thread of its own nobody else would notice
            traceback.print_exc(file=sys.stderr)
            errors.append(InstanceError(INTERNAL))

    def _ended(self, item: Instance) -> None:
        """A server ended. If it was healthy and nobody asked it to end, another takes its place."""
        if item.healthy and not item.retiring:
            self._remove(item)
            threading.Thread(target=self._replace, args=(item,), name=f"replace-{item.id}", daemon=True).start()

    def _replace(self, dead: Instance) -> None:
        dead.stop()
        while not self._closed.is_set() and self.live(dead.server.variant) < self.counts[dead.server.variant]:
            errors: list[InstanceError] = []
            item = self._add(dead.server.variant)
            self._bring_up(item, errors)
            if self._closed.is_set() or errors:
                self._remove(item)
                item.kill()
            if not errors:
                self.on_capacity()
                return
            self._cloud.clock.wait(self._closed, REPLACE_PAUSE_SECONDS)

    def pick(self, request: Request) -> Instance | None:
        """The healthy instance that takes this request now, or None. It must be given back with `release`."""
        with self._lock:
            chosen = choose(
                self._instances,
                request,
                production=self.production,
                weights=self.weights,
                serverless=self.serverless,
            )
            if chosen is not None:
                chosen.outstanding += 1
                chosen.served += 1
            return chosen

    def take(self, request: Request) -> Instance | None:
        """`pick`, or for a serverless variant whose processes are all busy another one, started now.

        Raises AwsError ThrottlingException above MaxConcurrency.
        """
        found = self.pick(request)
        names = [name for name in self.serverless if request.variant in (None, name)]
        return found if found is not None or not names else self._grow(names[0])

    def _grow(self, variant: str) -> Instance | None:
        with self._lock:
            if self._closed.is_set():
                return None
            busy = sum(item.server.variant == variant for item in self._instances)
            if busy >= self.serverless[variant]["MaxConcurrency"]:
                raise AwsError("ThrottlingException", "Rate exceeded", status=429)
            item = Instance(cloud=self._cloud, server=self._servers[variant], outstanding=1, served=1)
            self._instances.append(item)
        errors: list[InstanceError] = []
        self._bring_up(item, errors)
        if not errors:
            return item
        self._remove(item)
        self.release(item)
        item.kill()
        if self._closed.is_set():
            return None
        raise AwsError("ServiceUnavailable", str(errors[0]), status=503)

    def reap(self) -> None:
        """Stop processes of serverless variants that have been idle for long, down to what is provisioned."""
        limit = self._cloud.clock.now() - SERVERLESS_IDLE_SECONDS
        for name in self.serverless:
            with self._lock:
                own = [item for item in self._instances if item.server.variant == name and item.healthy]
                idle = [item for item in own if not item.outstanding and item.used < limit]
                idle = idle[: max(0, len(own) - self.counts[name])]
            if idle:
                threading.Thread(target=self._retire, args=(idle,), name=f"reap-{name}", daemon=True).start()

    def release(self, item: Instance) -> None:
        with self._changed:
            item.used = self._cloud.clock.now()
            item.outstanding -= 1
            if not item.outstanding and (item.retiring or not item.healthy):
                self._changed.notify_all()

    def scale(self, counts: Mapping[str, int]) -> None:
        """Start or drain instances until the variants have these counts. Raises InstanceError."""
        self.counts.update(counts)
        self.launch()
        extra: list[Instance] = []
        with self._lock:
            for name, count in self.counts.items():
                if name in self.serverless:
                    continue
                extra += [item for item in self._instances if item.server.variant == name][count:]
        self._retire(extra)

    def drain(self) -> None:
        """Take everything out of routing, let the requests in flight finish, stop the servers."""
        self._closed.set()
        self._bill.end()
        with self._lock:
            items = list(self._instances)
        self._retire(items)

    def _retire(self, items: list[Instance]) -> None:
        for item in items:
            item.retiring = True
            self._remove(item)
        deadline = self._cloud.clock.socket_timeout(DRAIN_SECONDS)
        with self._changed:
            self._changed.wait_for(lambda: not any(item.outstanding for item in items), timeout=deadline)
        in_parallel(Instance.stop, items)

    def kill(self) -> None:
        """SIGKILL at once, for a reset and the end of localaws."""
        self._closed.set()
        self._bill.end()
        with self._lock:
            items = list(self._instances)
        in_parallel(Instance.kill, items)
