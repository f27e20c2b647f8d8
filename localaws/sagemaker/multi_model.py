"""The models of one instance of a multi-model endpoint: each is loaded when a request first names it.

    POST /models {"model_name": H, "url": "/opt/ml/models/H/model"}      then      POST /models/H/invoke

H is a hash of the TargetModel. A server without room answers 507: then the model that has gone unused for longest is
unloaded (DELETE /models/H) and the load is tried again. What was downloaded stays on the disk, as in AWS. Source:
"Custom Containers Contract for Multi-Model Endpoints" in the developer guide.
"""

import hashlib
import http.client
import json
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from localaws import containers, s3
from localaws.clock import Event
from localaws.errors import AwsError
from localaws.iam.platform import AccessError, Actor
from localaws.sagemaker import connections, permissions
from localaws.sagemaker.instance import Instance, InstanceError, fetch_model

TARGET = "X-Amzn-SageMaker-Target-Model"
WAIT_SECONDS = 60.0  # AWS answers within so long, whether the model is there or not
LOAD_SECONDS = 360.0  # and goes on loading for so long
BUSY_PAUSE_SECONDS = 0.02  # machine time between two looks for a model that can be unloaded
INSUFFICIENT_STORAGE = 507
NO_OBJECT = (
    "Failed to download model data(bucket: {bucket}, key: {key}). Please ensure that there is an object located at the "
    "URL and that the role passed to CreateModel has permissions to download the model."
)
NOT_READY = "Model {target} is still being loaded; try again."


DIFFERENCES = (
    (
        "models of a multi-model endpoint",
        "loaded one at a time on each instance, and unloaded only when the server answers 507: the disk has no limit; "
        "requests for a model go to an instance that holds it, however busy that is",
    ),
)


class LoadError(Exception):
    """The server would not load the model; status 0 stands for no answer."""

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__(f"loading answered {status}")
        self.status = status
        self.content = content


@dataclass(kw_only=True, eq=False)
class Model:
    """One model of an instance. `ready` is set when the load is over; then `error` says how it went."""

    target: str
    name: str
    ready: Event
    error: Exception | None = None
    in_use: int = 0
    used: float = 0.0  # machine time of the end of its last request
    is_loaded: bool = False


@dataclass(kw_only=True)
class Asked:
    """What one request met with: its metrics, in microseconds where they are times."""

    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)


class Models:
    """Loads, keeps and unloads the models of one instance; requests come from many threads."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._clock = instance.cloud.clock
        self._lock = threading.Lock()
        self._changing = threading.Lock()  # held for a load or an unload: a name must not meet its own unload
        self._models: dict[str, Model] = {}
        self._told: dict[str, float] = {}  # metrics that wait for the next request

    @property
    def loaded(self) -> int:
        """How many the server holds in memory: LoadedModelCount."""
        return sum(model.is_loaded for model in list(self._models.values()))

    def holds(self, target: str) -> bool:
        """Whether a request for this model needs no load here, or waits for one under way."""
        return target in self._models

    @contextmanager
    def use(self, target: str, asked: Asked) -> Iterator[str]:
        """The path to send a request for this model to; until the end of the block it is not unloaded.

        Raises AwsError, and LoadError for what the server refuses.
        """
        began = time.perf_counter()
        model, is_new = self._claim(target)
        try:
            waits = not model.ready.is_set()
            if is_new:
                threading.Thread(target=self._load, args=(model,), name=f"load-{model.name}", daemon=True).start()
            if not self._clock.wait(model.ready, WAIT_SECONDS):
                raise AwsError("ModelNotReadyException", NOT_READY.format(target=target), status=429)
            if model.error is not None:
                raise model.error
            asked.metrics |= {"ModelCacheHit": float(not waits), **self._take_told()}
            asked.seconds = time.perf_counter() - began
            if waits:
                asked.metrics["ModelLoadingWaitTime"] = asked.seconds * 1e6
            yield f"/models/{model.name}/invoke"
        finally:
            with self._lock:
                model.in_use -= 1
                model.used = time.monotonic()

    def _claim(self, target: str) -> tuple[Model, bool]:
        with self._lock:
            model, is_new = self._models.get(target), False
            if model is None:
                name, is_new = hashlib.sha256(target.encode()).hexdigest()[:32], True
                model = self._models[target] = Model(target=target, name=name, ready=self._clock.event())
            model.in_use += 1
            return model, is_new

    def _take_told(self) -> dict[str, float]:
        with self._lock:
            told, self._told = self._told, {}
        return told

    def _tell(self, metric: str, began: float) -> None:
        with self._lock:
            self._told[metric] = self._told.get(metric, 0.0) + (time.perf_counter() - began) * 1e6

    def _load(self, model: Model) -> None:
        """Body of the loading thread."""
        try:
            folder = self._download(model)
            with self._changing:
                self._load_into_server(model, folder)
                model.is_loaded = True
        except (AwsError, LoadError) as error:
            model.error = error
        except Exception as error:  # in a thread of its own nobody else would notice
            traceback.print_exc(file=sys.stderr)
            model.error = AwsError("InternalFailure", f"localaws failed to load {model.target}: {error!r}", status=500)
        finally:
            if model.error is not None:
                with self._lock:
                    self._models.pop(model.target, None)  # the next request tries again
            model.ready.set()

    def _download(self, model: Model) -> Path:
        """The model's folder, filled from S3 unless it lies there already. Raises AwsError."""
        assert self._instance.folder is not None
        place = self._instance.folder / "ml" / "models" / model.name
        if (place / "model").exists():
            return place / "model"
        began, server = time.perf_counter(), self._instance.server
        uri = s3.join(server.container["ModelDataUrl"], model.target.lstrip("/"))
        bucket, key = s3.split(uri)
        partial = place / "partial"
        try:
            actor = Actor(cloud=self._instance.cloud, role=server.role, region=server.region)
            permissions.read_model_data(actor, uri, archive=True)
            if not s3.exists(uri):
                raise FileNotFoundError(uri)
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            fetch_model(uri, True, partial)
            partial.rename(place / "model")
        except (AccessError, FileNotFoundError) as error:
            raise AwsError("ValidationError", NO_OBJECT.format(bucket=bucket, key=key)) from error
        except InstanceError as error:
            raise AwsError("ValidationError", str(error)) from error
        self._tell("ModelDownloadingTime", began)
        return place / "model"

    def _load_into_server(self, model: Model, folder: Path) -> None:
        """POST /models, unloading others for as long as the server has no room. Raises LoadError."""
        began, deadline = time.perf_counter(), self._clock.now() + LOAD_SECONDS
        inside = f"/opt/ml/models/{model.name}/model"
        url = inside if containers.mounted(self._instance.cloud) else str(folder)
        body = json.dumps({"model_name": model.name, "url": url}).encode()
        while True:
            status, content = self._ask(model, "POST", "/models", body)
            if http.client.OK <= status < http.client.MULTIPLE_CHOICES or status == http.client.CONFLICT:
                self._tell("ModelLoadingTime", began)
                return
            if status != INSUFFICIENT_STORAGE or not self._make_room(model, deadline):
                raise LoadError(status, content)

    def _make_room(self, model: Model, deadline: float) -> bool:
        """Unload the model that has gone unused for longest, waiting while all are busy. False if that cannot be."""
        while self._clock.now() < deadline:
            with self._lock:
                others = [other for other in self._models.values() if other.is_loaded and other is not model]
                idle = [other for other in others if not other.in_use]
                oldest = min(idle, key=lambda other: other.used, default=None)
                if oldest is not None:
                    del self._models[oldest.target]
            if oldest is not None:
                began = time.perf_counter()
                self._ask(oldest, "DELETE", f"/models/{oldest.name}", b"")
                self._tell("ModelUnloadingTime", began)
                return True
            process = self._instance.process
            if not others or process is None or process.exited.wait(BUSY_PAUSE_SECONDS):
                return False
        return False

    def _ask(self, model: Model, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", TARGET: model.target}
        try:
            status, _, content = connections.exchange(
                self._instance.cloud, self._instance, headers, body, LOAD_SECONDS, method=method, path=path
            )
        except ConnectionRefusedError:
            return 0, connections.CLOSED.encode()
        return status, content
