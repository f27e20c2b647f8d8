"""One instance: a server process with its own /opt/ml, its port, and a pool of connections to it.

Endpoints have them for as long as they live, transform jobs for their own time.
"""

import http.client
import secrets
import shutil
import socket
import tarfile
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from localaws import containers, ecr, roles, s3
from localaws.cloud import Cloud
from localaws.iam.platform import AccessError, Actor
from localaws.money.ledger import Usage
from localaws.processes import Process
from localaws.sagemaker import permissions
from localaws.sagemaker.definitions import is_multi_model, model_data

if TYPE_CHECKING:
    from localaws.sagemaker.multi_model import Models

LOG_GROUP = "/aws/sagemaker/Endpoints"
HOST = "127.0.0.1"
PING_TRY_SECONDS = 2.0
PING_PAUSE_SECONDS = 0.02  # machine time between two tries
STOP_GRACE_SECONDS = 30
NOT_HEALTHY = (
    "The primary container for production variant {variant} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
CANNOT_START = (
    "CannotStartContainerError. Please ensure the model container for {owner} starts correctly when "
    "invoked with 'docker run <image> serve'. {error}"
)


class InstanceError(Exception):
    """The instance cannot serve; the text becomes the endpoint's FailureReason."""


class NotHealthyError(InstanceError):
    """The server has ended, or has not answered /ping with 200 in time."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """What an instance runs: the model's container for a variant of an endpoint, or for a transform job.

    `owner` is the name of the endpoint or the job, `variant` what the log streams begin with, `environment` what the
    platform adds to the container's own.
    """

    region: str
    owner: str
    variant: str
    container: dict[str, Any]
    role: str
    startup_seconds: int
    log_group: str
    kind: str = "variant"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def multi_model(self) -> bool:
        """Whether it serves the models below a prefix, each loaded when it is first asked for."""
        return is_multi_model(self.container)


@dataclass(kw_only=True, eq=False)
class Instance:
    cloud: Cloud
    server: Server
    id: str = field(default_factory=lambda: f"i-{secrets.token_hex(8)}")
    port: int = 0
    outstanding: int = 0
    served: int = 0
    healthy: bool = False
    retiring: bool = False
    used: float = 0.0  # cloud time of the end of its last request
    process: Process | None = None
    folder: Path | None = None
    idle: deque[tuple[float, http.client.HTTPConnection]] = field(default_factory=deque)  # with the time of last use
    setup_seconds: float = 0.0  # machine time that a serverless process took to start, until its first request
    models: "Models | None" = None  # of a multi-model server
    meter: Callable[[], list[Usage]] = list  # starts the bill of the instance itself, where it has one
    usages: list[Usage] = field(default_factory=list)

    def start(self, on_exit: Callable[["Instance"], None]) -> None:
        """Unpack the model and start the server. Raises InstanceError."""
        server = self.server
        self.usages = self.meter()
        self.folder = self.cloud.folder("servers", server.region, server.owner)
        root, folder = self.folder / "ml", "models" if server.multi_model else "model"
        (root / folder).mkdir(parents=True)
        actor = Actor(cloud=self.cloud, role=server.role, region=server.region)
        try:
            permissions.bring_up(actor, server.container["Image"], model_data(server.container))
        except AccessError as error:
            raise InstanceError(f"AccessDenied: {error}") from error
        for address, archive in [] if server.multi_model else model_data(server.container):
            fetch_model(address, archive, root / folder)
        image = ecr.resolve(self.cloud, server.container["Image"])
        if image is None:
            raise InstanceError(f"Requested image {server.container['Image']} not found.")
        self.port = _free_port()
        spec = containers.Spec(
            image=image,
            argv=[*image.config.entrypoint, "serve"],
            root=root,
            region=server.region,
            env=self._environment(),
            readonly=[folder],
        )
        append = actor.log_if_allowed(server.log_group, f"{server.variant}/{self.id}")
        try:
            self.process = containers.start(self.cloud, spec, append, lambda _: on_exit(self))
        except containers.StartError as error:
            append([str(error)])
            owner = f"{server.kind} {server.variant}"
            raise InstanceError(CANNOT_START.format(owner=owner, error=error)) from error

    def _environment(self) -> dict[str, str]:
        server = self.server
        return {
            **roles.credentials(self.cloud, server.role, "SageMaker"),
            **server.container.get("Environment", {}),
            **server.environment,
            **({"SAGEMAKER_MULTI_MODEL": "true"} if server.multi_model else {}),
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
        }

    def wait_healthy(self) -> None:
        """Ping until 200; the limit is by the clock, a server that has ended fails at once. Raises NotHealthyError."""
        assert self.process is not None
        deadline = self.cloud.clock.now() + self.server.startup_seconds
        while not self.process.exited.is_set() and not self.retiring and self.cloud.clock.now() < deadline:
            if self._ping():
                self.healthy = True
                if not self.process.exited.is_set():
                    return
                self.healthy = False  # it ended after its answer, perhaps before anybody could notice
            self.process.exited.wait(PING_PAUSE_SECONDS)
        raise NotHealthyError(NOT_HEALTHY.format(variant=self.server.variant))

    def _ping(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PING_TRY_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """SIGTERM, 30 s by the clock, SIGKILL; then its folder goes."""
        self.retiring, self.healthy = True, False
        while self.idle:
            self.idle.pop()[1].close()
        if self.process is not None:
            self.process.stop(grace_seconds)
        for usage in self.usages:
            usage.stop(self.cloud.clock.now())
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        self.retiring = True
        if self.process is not None:
            self.process.kill()
        self.stop()


def in_parallel(work: Callable[[Instance], Any], items: list[Instance]) -> None:
    """Do this with all instances at a time, each in a thread of its own."""
    threads = [threading.Thread(target=work, args=(item,), daemon=True) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def fetch_model(address: str, archive: bool, folder: Path) -> None:
    """Copy a model to a folder, unpacked. Raises InstanceError."""
    bucket, key = s3.split(address)
    if not archive:
        for name in s3.keys(bucket, key):
            if not name.endswith("/"):
                s3.download(bucket, name, folder / name[len(key) :].lstrip("/"))
        return
    try:
        content = s3.read(bucket, key)
    except FileNotFoundError as error:
        raise InstanceError(f"Could not find model data at {address}.") from error
    try:
        unpack(content, folder)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise InstanceError(
            f'Failed to extract model data archive from URL "{address}". Please ensure that the object located at '
            f"the URL is a valid tar.gz archive. ({error})"
        ) from error


def unpack(content: bytes, folder: Path) -> None:
    """Extract a .tar.gz of plain files and folders. Raises ValueError for links, devices and paths that lead out."""
    with tarfile.open(fileobj=BytesIO(content), mode="r:gz") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
                raise ValueError(f"{member.name!r} is not a plain file or folder inside of the archive")
            target = folder.joinpath(*path.parts)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            assert source is not None
            with source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
