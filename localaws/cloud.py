"""What every service shares: the clock, the processes, the folders, the identity of the account, and moto's backends.

Services keep their own state in `cloud.store(region, SomeStore)`; a reset drops the stores after stopping what runs.
"""

import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from moto import backends
from moto.core import DEFAULT_ACCOUNT_ID

from localaws.clock import Clock
from localaws.processes import Launcher

ACCOUNT = DEFAULT_ACCOUNT_ID
GLOBAL = "aws"  # moto's region name for services that have none


class Store:
    """A service's state in one region. Subclasses take no arguments."""

    def close(self) -> None:
        """Forget it: whatever goes on in here must not start anything new."""


S = TypeVar("S", bound=Store)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One parsed and validated API call."""

    cloud: "Cloud"
    region: str
    operation: str
    request: Mapping[str, Any]


Handler = Callable[[Call], Mapping[str, Any] | None]


@dataclass(kw_only=True)
class Cloud:
    """The embedded AWS of one process. `url` is known once the port is bound; `prices` and `quotas` are the
    files of the price book and of the quotas."""

    state: Path
    mounts: bool = True
    prices: Path | None = None
    quotas: Path | None = None
    url: str = ""
    clock: Clock = field(default_factory=Clock)
    launcher: Launcher = field(init=False)

    def __post_init__(self) -> None:
        self.launcher = Launcher(self.clock)
        self._stores: dict[tuple[str, type], Any] = {}
        self._lock = threading.RLock()
        self.state.mkdir(parents=True, exist_ok=True)

    def store(self, region: str, kind: type[S]) -> S:
        """This region's store of the given kind, made by `kind()` on first use."""
        with self._lock:
            if (region, kind) not in self._stores:
                self._stores[region, kind] = kind()
            found: S = self._stores[region, kind]
            return found

    def stores(self, kind: type[S]) -> dict[str, S]:
        """All regions' stores of the given kind."""
        with self._lock:
            return {region: store for (region, of), store in self._stores.items() if of is kind}

    def folder(self, *parts: str) -> Path:
        """A fresh folder below the state folder, its name ending in random letters."""
        parent = self.state.joinpath(*parts[:-1])
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{parts[-1]}-", dir=parent))

    def reset(self) -> None:
        """Stop everything and forget all state (`POST /moto-api/reset`)."""
        self._forget()
        self.clock.reset()

    def _forget(self) -> None:
        with self._lock:
            stores = list(self._stores.values())
            self._stores.clear()
        for store in stores:
            store.close()
        self.launcher.stop_all()

    def close(self) -> None:
        """Stop everything for good."""
        self._forget()
        self.launcher.close()


def backend(service: str, region: str) -> Any:
    """moto's in-process backend of a service; use region GLOBAL for iam, s3 and sts."""
    found: Any = backends.get_backend(service)
    return found[ACCOUNT][region]


def arn(service: str, region: str, resource: str) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"
