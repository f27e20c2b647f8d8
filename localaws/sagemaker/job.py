"""One training job: Starting -> Downloading -> Training -> Uploading -> Completed, as processes on this machine.

Each instance is one process with its own /opt/ml. A stop, the runtime limit and a spot interruption are SIGTERM,
120 s by the clock, SIGKILL. After a stop or a limit what the job left is uploaded; after an interruption only its
checkpoints are, and the job goes on in new instances: Interrupted -> Starting -> ...
"""

import sys
import threading
import traceback
from typing import Any

from localaws.cloud import Cloud
from localaws.sagemaker import metrics, spot
from localaws.sagemaker.attempt import Attempt, JobError

STOP_GRACE_SECONDS = 120
CHECKPOINT_SYNC_SECONDS = 1
TERMINAL = ("Completed", "Failed", "Stopped")
INTERRUPTIBLE = ("Starting", "Downloading", "Training")
FINAL_MESSAGES = {
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
}

Outcome = tuple[str, str, str]  # TrainingJobStatus, SecondaryStatus, FailureReason
STOPPED: Outcome = ("Stopped", "Stopped", "")


class TrainingRun:
    """Runs one job in a thread of its own and keeps `record`, which DescribeTrainingJob shows, up to date."""

    def __init__(self, cloud: Cloud, region: str, record: dict[str, Any]) -> None:
        self._cloud = cloud
        self._region = region
        self._record = record
        self._clock = cloud.clock
        self._lock = threading.RLock()
        self._stop_asked = cloud.clock.event()
        self._abandoned = False
        self._capacity_after: float | None = None  # seconds; set while an interruption is under way
        self._instance_seconds = 0.0  # from the first byte downloaded to the end, of all attempts
        self._training_seconds = 0.0  # the part that MaxRuntimeInSeconds limits
        self.finished = cloud.clock.event()
        self._scanner = metrics.Scanner(record["AlgorithmSpecification"].get("MetricDefinitions", []))
        self._enter("Starting", "Starting the training job")
        self._attempt = Attempt(cloud, region, record, self._scanner)

    def stop(self) -> None:
        """StopTrainingJob: returns at once, the job ends by itself."""
        with self._lock:
            if self._record["TrainingJobStatus"] in TERMINAL:
                return  # it has ended by itself meanwhile
            self._record["TrainingJobStatus"] = "Stopping"
            self._enter("Stopping", "Stopping the training job")
            self._stop_asked.set()
            self._attempt.nodes.ended.set()

    def interrupt(self, capacity_after_seconds: float) -> bool:
        """Take the instances of a spot job away, for so long. False if it has none or ends anyway."""
        with self._lock:
            busy = self._record["SecondaryStatus"] in INTERRUPTIBLE and self._capacity_after is None
            if not busy or self._attempt.nodes.ended.is_set():
                return False
            self._capacity_after = capacity_after_seconds
            self._attempt.nodes.ended.set()
            return True

    def abandon(self) -> None:
        """Kill at once and upload nothing; returns when the thread is through."""
        with self._lock:
            self._abandoned = True
            self._stop_asked.set()
            self._attempt.nodes.ended.set()
            self._attempt.nodes.kill()
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
            self._attempt.remove()
            self.finished.set()

    def _enter(self, status: str, message: str) -> None:
        with self._lock:  # a stop comes from another thread
            now = self._clock.now()
            transitions = self._record.setdefault("SecondaryStatusTransitions", [])
            if transitions:
                transitions[-1].setdefault("EndTime", now)
            transitions.append({"Status": status, "StartTime": now, "StatusMessage": message})
            self._record |= {"SecondaryStatus": status, "LastModifiedTime": now}

    def _enter_unless_stopping(self, status: str, message: str) -> None:
        with self._lock:
            if not self._stop_asked.is_set():
                self._enter(status, message)

    def _message(self, message: str) -> None:
        self._record["SecondaryStatusTransitions"][-1]["StatusMessage"] = message

    def _train(self) -> Outcome:
        while True:
            begin = self._clock.now()
            try:
                outcome = self._try()
            finally:
                self._instance_seconds += self._clock.now() - begin
            if outcome is None:
                outcome = self._wait_for_capacity()
            if outcome is not None:
                return outcome

    def _try(self) -> Outcome | None:
        """One attempt's outcome, or None if it was interrupted."""
        self._message("Preparing the instances for training")
        if self._stop_asked.is_set():
            return STOPPED
        self._record.setdefault("TrainingStartTime", self._clock.now())
        self._enter_unless_stopping("Downloading", "Downloading input data")
        self._attempt.prepare()
        self._message("Downloading the training image")
        if self._attempt.nodes.ended.is_set():
            return STOPPED if self._stop_asked.is_set() else None
        self._enter_unless_stopping("Training", "Training image download completed. Training in progress.")
        self._attempt.start()
        outcome = self._wait()
        if outcome is not None and not self._abandoned:
            self._enter("Uploading", "Uploading generated training model")
            self._attempt.upload(failed=outcome[0] == "Failed")
        return outcome

    def _wait(self) -> Outcome | None:
        ended, begin = self._attempt.nodes.ended, self._clock.now()
        runtime = self._record["StoppingCondition"]["MaxRuntimeInSeconds"] - self._training_seconds
        limit = min(begin + runtime, spot.deadline(self._record))
        while not ended.is_set() and self._clock.now() < limit:
            self._clock.wait(ended, min(CHECKPOINT_SYNC_SECONDS, limit - self._clock.now()))
            if not ended.is_set():
                self._attempt.sync()
        self._training_seconds += self._clock.now() - begin
        return self._end_of_wait("MaxRuntimeExceeded" if limit == begin + runtime else "MaxWaitTimeExceeded")

    def _end_of_wait(self, limit: str) -> Outcome | None:
        """End the processes in the way that their end asks for; `limit` is the one that applies if nothing else did."""
        nodes = self._attempt.nodes
        if self._abandoned:
            nodes.kill()
            return STOPPED
        if self._capacity_after is not None and not self._stop_asked.is_set():
            nodes.terminate(STOP_GRACE_SECONDS)
            self._attempt.sync()
            return STOPPED if self._stop_asked.is_set() else None
        if self._stop_asked.is_set() or not nodes.ended.is_set():
            if limit == "MaxWaitTimeExceeded" and not self._stop_asked.is_set():
                self._enter("Stopping", FINAL_MESSAGES[limit])
            nodes.terminate(STOP_GRACE_SECONDS)
            return "Stopped", "Stopped" if self._stop_asked.is_set() else limit, ""
        reason = nodes.failure()
        nodes.kill()
        return ("Failed", "Failed", reason) if reason else ("Completed", "Completed", "")

    def _wait_for_capacity(self) -> Outcome | None:
        """After an interruption: None once a new attempt may begin, or the outcome."""
        seconds = self._capacity_after or 0.0
        self._attempt.remove()
        self._enter_unless_stopping("Interrupted", spot.INTERRUPTED)
        limit = spot.deadline(self._record) - self._clock.now()
        stopped = self._clock.wait(self._stop_asked, max(0.0, min(seconds, limit)))
        if not stopped and seconds >= limit:
            self._enter("Stopping", FINAL_MESSAGES["MaxWaitTimeExceeded"])
            return "Stopped", "MaxWaitTimeExceeded", ""
        with self._lock:
            if self._stop_asked.is_set():
                return STOPPED
            self._capacity_after = None
            self._enter("Starting", "Starting the training job")
            self._attempt = Attempt(self._cloud, self._region, self._record, self._scanner)
        return None

    def _finish(self, status: str, secondary: str, reason: str) -> None:
        record, now = self._record, self._clock.now()
        final = self._scanner.final()
        with self._lock:
            self._enter(secondary, reason or FINAL_MESSAGES[secondary])
            record["SecondaryStatusTransitions"][-1]["EndTime"] = now
            if "TrainingStartTime" in record:
                record |= {"TrainingEndTime": now, **spot.seconds(record, self._instance_seconds)}
            record |= {"FinalMetricDataList": final} if final else {}
            record |= {"FailureReason": reason} if reason else {}
            record["TrainingJobStatus"] = status  # last: who polls the status finds everything else in place
