"""All instances that serve one endpoint configuration: start, route, scale, replace, drain."""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from localaws.cloud import Cloud
from localaws.sagemaker.instance import Instance, InstanceError, Server
from localaws.sagemaker.models import containers

STARTUP_SECONDS = 480  # AWS's limit for the ping check, unless the variant says otherwise
DRAIN_SECONDS = 60  # no invocation may take longer
REPLACE_PAUSE_SECONDS = 10  # between two attempts to replace a server that keeps dying


class Fleet:
    """`counts` and `weights` are the desired ones, by variant."""

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
        self._servers = {
            variant["VariantName"]: Server(
                region=region,
                endpoint=endpoint,
                variant=variant["VariantName"],
                container=dict(containers(models[variant["ModelName"]])[0]),
                role=models[variant["ModelName"]]["ExecutionRoleArn"],
                startup_seconds=variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_SECONDS),
            )
            for variant in config["ProductionVariants"]
        }

    @property
    def images(self) -> dict[str, str]:
        return {name: server.container["Image"] for name, server in self._servers.items()}

    def live(self, variant: str) -> int:
        return sum(item.server.variant == variant and item.healthy for item in self._instances)

    def launch(self) -> None:
        """Start what the counts ask for and wait until all are healthy; else stop them. Raises InstanceError."""
        missing = [name for name, count in self.counts.items() for _ in range(count - self.live(name))]
        started = [self._add(name) for name in missing]
        errors: list[InstanceError] = []
        _in_parallel(lambda item: self._bring_up(item, errors), started)
        if errors:
            for item in started:
                self._remove(item)
            _in_parallel(Instance.kill, started)
            raise errors[0]

    def _add(self, variant: str) -> Instance:
        item = Instance(cloud=self._cloud, server=self._servers[variant])
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
            item.start(self._ended)
            item.wait_healthy()
        except InstanceError as error:
            errors.append(error)

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
                return
            self._cloud.clock.wait(self._closed, REPLACE_PAUSE_SECONDS)

    def pick(self, variant: str | None = None, avoid: Iterable[Instance] = ()) -> Instance | None:
        """The healthy instance with the fewest requests in flight, of a variant drawn by weight; None if none is.

        Every picked instance must be given back with `release`.
        """
        with self._lock:
            healthy = [item for item in self._instances if item.healthy and item not in avoid]
            names = {item.server.variant for item in healthy}
            if variant is None and len(names) > 1:
                weights = {name: self.weights[name] for name in sorted(names)}
                total = sum(weights.values())
                variant = random.choices(list(weights), list(weights.values()))[0] if total else sorted(names)[0]
            able = [item for item in healthy if variant is None or item.server.variant == variant]
            if not able:
                return None
            chosen = min(able, key=lambda item: (item.outstanding, item.served))
            chosen.outstanding += 1
            chosen.served += 1
            return chosen

    def release(self, item: Instance) -> None:
        with self._changed:
            item.outstanding -= 1
            if not item.outstanding and not item.healthy:
                self._changed.notify_all()

    def scale(self, counts: Mapping[str, int]) -> None:
        """Start or drain instances until the variants have these counts. Raises InstanceError."""
        self.counts.update(counts)
        self.launch()
        extra: list[Instance] = []
        with self._lock:
            for name, count in self.counts.items():
                extra += [item for item in self._instances if item.server.variant == name][count:]
        self._retire(extra)

    def drain(self) -> None:
        """Take everything out of routing, let the requests in flight finish, stop the servers."""
        self._closed.set()
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
        _in_parallel(Instance.stop, items)

    def kill(self) -> None:
        """SIGKILL at once, for a reset and the end of localaws."""
        self._closed.set()
        with self._lock:
            items = list(self._instances)
        _in_parallel(Instance.kill, items)


def _in_parallel(work: Callable[[Instance], Any], items: list[Instance]) -> None:
    threads = [threading.Thread(target=work, args=(item,), daemon=True) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
