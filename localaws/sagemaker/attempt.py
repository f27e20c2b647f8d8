"""One attempt at a training job: its instances' folders and processes. A spot interruption ends it; another follows."""

import shutil
from dataclasses import replace
from typing import Any

from localaws import containers, ecr, roles
from localaws.cloud import Cloud
from localaws.iam.platform import AccessError, Actor
from localaws.images import Image
from localaws.processes import Sink
from localaws.s3 import join
from localaws.sagemaker import channels, cluster, metrics, network, permissions
from localaws.sagemaker.artifacts import Checkpoints, upload
from localaws.sagemaker.nodes import Nodes

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
FOLDERS = ("input/data", "model", "output/data", "checkpoints", "code")

NO_IMAGE = (
    "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect."
)
CANNOT_START = (
    "AlgorithmError: CannotStartContainerError. Please make sure the container can be run with "
    "'docker run <image> train'. {error}, exit code: 127"
)


class JobError(Exception):
    """Ends the job as Failed; the text is its FailureReason."""


class Attempt:
    """Fresh instances: nothing of an earlier attempt is on them but what its checkpoints left in S3."""

    def __init__(
        self, cloud: Cloud, region: str, record: dict[str, Any], scanner: metrics.Scanner, owners: dict[str, str]
    ) -> None:
        """`owners` of the checkpoints (see Checkpoints) are read and kept up to date."""
        self._cloud = cloud
        self._region = region
        self._record = record
        self._actor = Actor(cloud=cloud, role=record["RoleArn"], region=region)
        self._scanner = scanner
        count = record["ResourceConfig"].get("InstanceCount", 1)
        self._hosts = cluster.hosts(count, resolvable=containers.mounted(cloud))
        self._port = cluster.Port()
        self.nodes = Nodes(cloud, count)
        self._folder = cloud.folder("jobs", region, record["TrainingJobName"])
        self._roots = {host.label: self._folder / host.label for host in self._hosts}
        self._checkpoints = self._make_checkpoints(owners)

    def _make_checkpoints(self, owners: dict[str, str]) -> Checkpoints | None:
        config = self._record.get("CheckpointConfig")
        if config is None:
            return None
        local = config.get("LocalPath", "/opt/ml/checkpoints").removeprefix("/opt/ml/")
        return Checkpoints(config["S3Uri"], {host: root / local for host, root in self._roots.items()}, owners)

    def prepare(self) -> None:
        """Lay out /opt/ml and copy the data and the checkpoints to it. Raises JobError."""
        names = [host.name for host in self._hosts]
        for name, root in zip(names, self._roots.values(), strict=True):
            for folder in FOLDERS:
                (root / folder).mkdir(parents=True)
            channels.write_config(self._record, root, name, names)
        if not network.reaches_s3(self._record, self._region):
            raise JobError(network.NO_ROUTE_TO_S3)
        try:
            permissions.read_inputs(self._actor, self._record)
            channels.download(self._record, list(self._roots.values()))
            if self._checkpoints:
                self._checkpoints.restore()
        except AccessError as error:
            raise JobError(f"ClientError: Data download failed: AccessDenied (403): {error}") from error
        except (FileNotFoundError, ValueError) as error:
            raise JobError(f"ClientError: Data download failed: {error}") from error

    def start(self) -> None:
        """Start a container per instance. Raises JobError."""
        record, spec = self._record, self._record["AlgorithmSpecification"]
        image = self._pull(spec["TrainingImage"])
        entrypoint = spec.get("ContainerEntrypoint")
        arguments = spec.get("ContainerArguments", [] if entrypoint else ["train"])
        inputs = record.get("InputDataConfig", [])
        fast = [item["ChannelName"] for item in inputs if channels.mode(record, item) == "FastFile"]
        common = containers.Spec(
            image=image,
            argv=[*(entrypoint or image.config.entrypoint), *arguments],
            root=self._folder,
            region=self._region,
            env=self._environment(),
            hosts={host.name: host.address for host in self._hosts},
            readonly=[f"input/data/{name}" for name in fast],
        )
        specs = {host: replace(common, root=root) for host, root in self._roots.items()}
        try:
            self.nodes.start(specs, {label: self._sink(label) for label in self._roots})
        except containers.StartError as error:
            raise JobError(CANNOT_START.format(error=error)) from error

    def _environment(self) -> dict[str, str]:
        return {
            **self._credentials(),
            "TRAINING_JOB_NAME": self._record["TrainingJobName"],
            "TRAINING_JOB_ARN": self._record["TrainingJobArn"],
            "MASTER_PORT": str(self._port.number),  # AWS sets none: see cluster.py
            **self._record.get("Environment", {}),
        }

    def _pull(self, name: str) -> Image:
        try:
            self._actor.pull(name)
        except AccessError as error:
            raise JobError(f"{NO_IMAGE} ({error})") from error
        image = ecr.resolve(self._cloud, name)
        if image is None:
            raise JobError(NO_IMAGE)
        return image

    def _credentials(self) -> dict[str, str]:
        """The role's keys; an isolated container has none, as AWS documents for EnableNetworkIsolation."""
        isolated = self._record["EnableNetworkIsolation"]
        return {} if isolated else roles.credentials(self._cloud, self._record["RoleArn"], "SageMaker")

    def _sink(self, host: str) -> Sink:
        """Where a host's lines go: its log stream, and the metrics found in them to CloudWatch."""
        name, clock = self._record["TrainingJobName"], self._cloud.clock
        append = self._actor.log_if_allowed(LOG_GROUP, f"{name}/{host}-{int(clock.now())}")

        def sink(lines: list[str]) -> None:
            append(lines)
            now = clock.now()
            data = [{"MetricName": metric, "Value": value} for metric, value in self._scanner.scan(lines, now)]
            metrics.put(self._region, metrics.NAMESPACE, data, now, {"TrainingJobName": name})

        return sink

    def sync(self) -> None:
        """Bring the checkpoints in S3 up to date."""
        if self._checkpoints:
            self._checkpoints.sync()

    def upload(self, *, failed: bool) -> None:
        """Write the artifacts; a failed job leaves no model. Raises JobError."""
        output = self._record["OutputDataConfig"]
        prefix = join(output["S3OutputPath"], self._record["TrainingJobName"], "output")
        compress = output.get("CompressionType", "GZIP") == "GZIP"
        roots, key = list(self._roots.values()), output["KmsKeyId"]
        try:
            self.sync()
            names = ["output.tar.gz", *([] if failed else ["model.tar.gz"])] if compress else ["output/data"]
            permissions.write_outputs(self._actor, self._record, *names)
            upload([root / "output" / "data" for root in roots], join(prefix, "output"), key, compress=compress)
            if not failed:
                upload([root / "model" for root in roots], join(prefix, "model"), key, compress=compress)
        except AccessError as error:
            raise JobError(f"ClientError: Artifact upload failed: AccessDenied (403): {error}") from error
        except FileNotFoundError as error:
            raise JobError(f"ClientError: Artifact upload failed: {error}") from error

    def remove(self) -> None:
        """Give the instances back: what matters is in S3 and in the log."""
        self._port.release()
        shutil.rmtree(self._folder, ignore_errors=True)
