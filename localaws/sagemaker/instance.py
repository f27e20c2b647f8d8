"""One instance of an endpoint: a server process with its own /opt/ml, its port, and a pool of connections to it."""

import http.client
import secrets
import shutil
import socket
import tarfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from localaws import containers, ecr, roles, s3
from localaws.cloud import Cloud
from localaws.iam.platform import AccessError, Actor
from localaws.processes import Process
from localaws.sagemaker import permissions
from localaws.sagemaker.models import model_data

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
    "CannotStartContainerError. Please ensure the model container for variant {variant} starts correctly when "
    "invoked with 'docker run <image> serve'. {error}"
)


class InstanceError(Exception):
    """The instance cannot serve; the text becomes the endpoint's FailureReason."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """What an instance runs: a variant of an endpoint and the model's container."""

    region: str
    endpoint: str
    variant: str
    container: dict[str, Any]
    role: str
    startup_seconds: int


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

    def start(self, on_exit: Callable[["Instance"], None]) -> None:
        """Unpack the model and start the server. Raises InstanceError."""
        server = self.server
        self.folder = self.cloud.folder("endpoints", server.region, server.endpoint)
        root = self.folder / "ml"
        (root / "model").mkdir(parents=True)
        actor = Actor(cloud=self.cloud, role=server.role, region=server.region)
        try:
            permissions.bring_up(actor, server.container["Image"], model_data(server.container))
        except AccessError as error:
            raise InstanceError(f"AccessDenied: {error}") from error
        for address, archive in model_data(server.container):
            _fetch_model(address, archive, root / "model")
        image = ecr.resolve(self.cloud, server.container["Image"])
        if image is None:
            raise InstanceError(f"Requested image {server.container['Image']} not found.")
        self.port = _free_port()
        spec = containers.Spec(
            image=image,
            argv=[*image.config.entrypoint, "serve"],
            root=root,
            region=server.region,
            env={
                **roles.credentials(self.cloud, server.role, "SageMaker"),
                **server.container.get("Environment", {}),
                "SAGEMAKER_BIND_TO_PORT": str(self.port),
            },
            readonly=["model"],
        )
        append = actor.log_if_allowed(f"{LOG_GROUP}/{server.endpoint}", f"{server.variant}/{self.id}")
        try:
            self.process = containers.start(self.cloud, spec, append, lambda _: on_exit(self))
        except containers.StartError as error:
            append([str(error)])
            raise InstanceError(CANNOT_START.format(variant=server.variant, error=error)) from error

    def wait_healthy(self) -> None:
        """Ping until 200; the limit is by the clock, a server that has ended fails at once. Raises InstanceError."""
        assert self.process is not None
        deadline = self.cloud.clock.now() + self.server.startup_seconds
        while not self.process.exited.is_set() and not self.retiring and self.cloud.clock.now() < deadline:
            if self._ping():
                self.healthy = True
                if not self.process.exited.is_set():
                    return
                self.healthy = False  # it ended after its answer, perhaps before anybody could notice
            self.process.exited.wait(PING_PAUSE_SECONDS)
        raise InstanceError(NOT_HEALTHY.format(variant=self.server.variant))

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
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        self.retiring = True
        if self.process is not None:
            self.process.kill()
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _fetch_model(address: str, archive: bool, folder: Path) -> None:
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
