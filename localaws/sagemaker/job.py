"""One training job: Starting -> Downloading -> Training -> Uploading -> Completed, as processes on this machine.

Each instance is one process with its own /opt/ml. A stop and the runtime limit are SIGTERM, 120 s by the clock,
SIGKILL; what the job left is uploaded either way.
"""

import shutil
import sys
import threading
import traceback
from dataclasses import replace
from typing import Any

from localaws import containers, ecr, logs, roles
from localaws.cloud import Cloud
from localaws.processes import Sink
from localaws.s3 import join
from localaws.sagemaker import channels, metrics
from localaws.sagemaker.artifacts import Checkpoints, upload
from localaws.sagemaker.nodes import Nodes

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
STOP_GRACE_SECONDS = 120
CHECKPOINT_SYNC_SECONDS = 1
FOLDERS = ("input/data", "model", "output/data", "checkpoints", "code")
TERMINAL = ("Completed", "Failed", "Stopped")

NO_IMAGE = (
    "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect."
)
CANNOT_START = (
    "AlgorithmError: CannotStartContainerError. Please make sure the container can be run with "
    "'docker run <image> train'. {error}, exit code: 127"
)
FINAL_MESSAGES = {
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


class JobError(Exception):
    """Ends the job as Failed; the text is its FailureReason."""


class TrainingRun:
    """Runs one job in a thread of its own and keeps `record`, which DescribeTrainingJob shows, up to date."""

    def __init__(self, cloud: Cloud, region: str, record: dict[str, Any]) -> None:
        self._cloud = cloud
        self._region = region
        self._record = record
        self._clock = cloud.clock
        self._lock = threading.Lock()
        self._stop_asked = False
        self._abandoned = False
        self.finished = cloud.clock.event()
        definitions = record["AlgorithmSpecification"].get("MetricDefinitions", [])
        self._scanner = metrics.Scanner(definitions)
        self._enter("Starting", "Starting the training job")
        count = record["ResourceConfig"].get("InstanceCount", 1)
        self._hosts = [f"algo-{number}" for number in range(1, count + 1)]
        self._nodes = Nodes(cloud, count)
        self._folder = cloud.folder("jobs", region, record["TrainingJobName"])
        self._roots = {host: self._folder / host for host in self._hosts}
        self._checkpoints = self._make_checkpoints()

    def stop(self) -> None:
        """StopTrainingJob: returns at once, the job ends by itself."""
        self._stop_asked = True
        self._record["TrainingJobStatus"] = "Stopping"
        self._enter("Stopping", "Stopping the training job")
        self._nodes.ended.set()

    def abandon(self) -> None:
        """Kill at once and upload nothing; returns when the thread is through."""
        self._abandoned = self._stop_asked = True
        self._nodes.ended.set()
        self._nodes.kill()
        self.finished.wait()

    def run(self) -> None:
        """Body of the job's thread."""
        try:
            self._finish(*self._train())
        except JobError as error:
            self._finish("Failed", "Failed", str(error))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self._finish("Failed", "Failed", "InternalServerError: We encountered an internal error. Please try again.")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)  # what matters is in S3 and in the log
            self.finished.set()

    def _enter(self, status: str, message: str) -> None:
        with self._lock:  # a stop comes from another thread
            now = self._clock.now()
            transitions = self._record.setdefault("SecondaryStatusTransitions", [])
            if transitions:
                transitions[-1].setdefault("EndTime", now)
            transitions.append({"Status": status, "StartTime": now, "StatusMessage": message})
            self._record |= {"SecondaryStatus": status, "LastModifiedTime": now}

    def _message(self, message: str) -> None:
        self._record["SecondaryStatusTransitions"][-1]["StatusMessage"] = message

    def _train(self) -> tuple[str, str, str]:
        """(TrainingJobStatus, SecondaryStatus, FailureReason) at the end."""
        self._message("Preparing the instances for training")
        if self._stop_asked:
            return "Stopped", "Stopped", ""
        self._record["TrainingStartTime"] = self._clock.now()
        self._enter("Downloading", "Downloading input data")
        self._prepare()
        self._message("Downloading the training image")
        if self._stop_asked:
            return "Stopped", "Stopped", ""
        self._enter("Training", "Training image download completed. Training in progress.")
        self._start()
        outcome = self._wait()
        if not self._abandoned:
            self._enter("Uploading", "Uploading generated training model")
            self._upload(failed=outcome[0] == "Failed")
        return outcome

    def _prepare(self) -> None:
        for host, root in self._roots.items():
            for name in FOLDERS:
                (root / name).mkdir(parents=True)
            channels.write_config(self._record, root, host, self._hosts)
        try:
            channels.download(self._record, list(self._roots.values()))
            if self._checkpoints:
                self._checkpoints.restore()
        except (FileNotFoundError, ValueError) as error:
            raise JobError(f"ClientError: Data download failed: {error}") from error

    def _make_checkpoints(self) -> Checkpoints | None:
        config = self._record.get("CheckpointConfig")
        if config is None:
            return None
        local = config.get("LocalPath", "/opt/ml/checkpoints").removeprefix("/opt/ml/")
        return Checkpoints(config["S3Uri"], [root / local for root in self._roots.values()])

    def _start(self) -> None:
        record, spec = self._record, self._record["AlgorithmSpecification"]
        image = ecr.resolve(self._cloud, spec["TrainingImage"])
        if image is None:
            raise JobError(NO_IMAGE)
        entrypoint = spec.get("ContainerEntrypoint")
        arguments = spec.get("ContainerArguments", [] if entrypoint else ["train"])
        inputs = record.get("InputDataConfig", [])
        fast = [item["ChannelName"] for item in inputs if channels.mode(record, item) == "FastFile"]
        common = containers.Spec(
            image=image,
            argv=[*(entrypoint or image.config.entrypoint), *arguments],
            root=self._folder,
            region=self._region,
            env={
                **roles.credentials(record["RoleArn"], "SageMaker"),
                "TRAINING_JOB_NAME": record["TrainingJobName"],
                "TRAINING_JOB_ARN": record["TrainingJobArn"],
                **record.get("Environment", {}),
            },
            hosts={name: f"127.0.0.{number}" for number, name in enumerate(self._hosts, 1)},
            readonly=[f"input/data/{name}" for name in fast],
        )
        specs = {host: replace(common, root=root) for host, root in self._roots.items()}
        try:
            self._nodes.start(specs, {host: self._sink(host) for host in self._hosts})
        except containers.StartError as error:
            raise JobError(CANNOT_START.format(error=error)) from error

    def _sink(self, host: str) -> Sink:
        """Where a host's lines go: its log stream, and the metrics found in them to CloudWatch."""
        name = self._record["TrainingJobName"]
        stream = f"{name}/{host}-{int(self._clock.now())}"
        append = logs.stream(self._cloud, self._region, LOG_GROUP, stream)

        def sink(lines: list[str]) -> None:
            append(lines)
            now = self._clock.now()
            data = [{"MetricName": metric, "Value": value} for metric, value in self._scanner.scan(lines, now)]
            metrics.put(self._region, metrics.NAMESPACE, data, now, {"TrainingJobName": name})

        return sink

    def _wait(self) -> tuple[str, str, str]:
        ended, limit = self._nodes.ended, self._clock.now() + self._record["StoppingCondition"]["MaxRuntimeInSeconds"]
        while not ended.is_set() and self._clock.now() < limit:
            self._clock.wait(ended, min(CHECKPOINT_SYNC_SECONDS, limit - self._clock.now()))
            if self._checkpoints and not ended.is_set():
                self._checkpoints.sync()
        if self._abandoned:
            self._nodes.kill()
            return "Stopped", "Stopped", ""
        if self._stop_asked or not ended.is_set():
            self._nodes.terminate(STOP_GRACE_SECONDS)
            return "Stopped", "Stopped" if self._stop_asked else "MaxRuntimeExceeded", ""
        reason = self._nodes.failure()
        self._nodes.kill()
        return ("Failed", "Failed", reason) if reason else ("Completed", "Completed", "")

    def _upload(self, *, failed: bool) -> None:
        output = self._record["OutputDataConfig"]
        prefix = join(output["S3OutputPath"], self._record["TrainingJobName"], "output")
        compress = output.get("CompressionType", "GZIP") == "GZIP"
        roots, key = list(self._roots.values()), output["KmsKeyId"]
        try:
            if self._checkpoints:
                self._checkpoints.sync()
            upload([root / "output" / "data" for root in roots], join(prefix, "output"), key, compress=compress)
            if not failed:
                upload([root / "model" for root in roots], join(prefix, "model"), key, compress=compress)
        except FileNotFoundError as error:
            raise JobError(f"ClientError: Artifact upload failed: {error}") from error

    def _finish(self, status: str, secondary: str, reason: str) -> None:
        record, now = self._record, self._clock.now()
        self._enter(secondary, reason or FINAL_MESSAGES[secondary])
        record["SecondaryStatusTransitions"][-1]["EndTime"] = now
        if "TrainingStartTime" in record:
            seconds = max(1, round(now - record["TrainingStartTime"]))
            record |= {"TrainingEndTime": now, "TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        final = self._scanner.final()
        record |= {"FinalMetricDataList": final} if final else {}
        record |= {"FailureReason": reason} if reason else {}
        record["TrainingJobStatus"] = status  # last: who polls the status finds everything else in place
