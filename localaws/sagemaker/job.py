"""One training job: Starting -> Downloading -> Training -> Uploading -> Completed, as processes on this machine.

Each instance is one process with its own /opt/ml. A stop, the runtime limit, the failure of another instance and a
spot interruption with notice are SIGTERM, 120 s by the clock, SIGKILL. After a stop or a limit what the job left is
uploaded; after an interruption only its checkpoints are, and the job goes on in new instances: Interrupted ->
Starting -> ...
"""

import math
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from localaws import capacity
from localaws.cloud import Cloud
from localaws.money import meters
from localaws.money.ledger import Usage
from localaws.sagemaker import interruptions, metrics, spot
from localaws.sagemaker.attempt import Attempt, JobError
from localaws.sagemaker.interruptions import Interruption

STOP_GRACE_SECONDS = 120
CHECKPOINT_SYNC_SECONDS = 1  # by the clock
CAPACITY_PAUSE_SECONDS = 0.05  # machine time, between two looks for free instances
SYNC_PAUSE_SECONDS = 0.05  # machine time: a fast clock must not keep the machine busy with looking for files
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

    def __init__(
        self, cloud: Cloud, region: str, record: dict[str, Any], observe: metrics.Observer | None = None
    ) -> None:
        """`observe` is called with each metric that the job prints, from the thread that reads the log."""
        self._cloud = cloud
        self._region = region
        self._record = record
        self._clock = cloud.clock
        self._lock = threading.RLock()
        self._stop_asked = cloud.clock.event()
        self._abandoned = False
        self._market = interruptions.market(cloud)
        self._interruption: Interruption | None = None  # while one is under way
        # From the first byte downloaded to the end: of the attempts that are over, and the begin of the present one.
        self._spent: tuple[float, float | None] = (0.0, None)
        self._bill: list[Usage] = []
        self.kept_until: Callable[[float], float] | None = None  # of the warm pool: when by a time it had ended
        self._training_seconds = 0.0  # the part that MaxRuntimeInSeconds limits
        self._owners: dict[str, str] = {}  # of the checkpoints, by name
        self.finished = cloud.clock.event()
        definitions = record["AlgorithmSpecification"].get("MetricDefinitions", [])
        self._scanner = metrics.Scanner(definitions, observe)
        self._attempts = 0
        self._attempt = self._begin()

    def _begin(self) -> Attempt:
        self._attempts += 1
        self._begun = self._clock.now()
        self._enter("Starting", "Starting the training job")
        return Attempt(self._cloud, self._region, self._record, self._scanner, self._owners)

    def stop(self) -> None:
        """StopTrainingJob: returns at once, the job ends by itself."""
        with self._lock:
            if self._record["TrainingJobStatus"] in TERMINAL:
                return  # it has ended by itself meanwhile
            self._enter("Stopping", "Stopping the training job")
            self._stop_asked.set()
            self._attempt.nodes.ended.set()

    def interrupt(self, interruption: Interruption) -> bool:
        """Take the instances of a spot job away. False if it has none or ends anyway."""
        with self._lock:
            busy = self._record["SecondaryStatus"] in INTERRUPTIBLE and self._interruption is None
            if not busy or self._attempt.nodes.ended.is_set():
                return False
            self._interruption = interruption
            self._market.note(self._record["TrainingJobName"], self._attempts, self._clock.now(), interruption)
            self._attempt.nodes.ended.set()
            return True

    def abandon(self) -> None:
        """Kill at once and upload nothing; returns when the thread is through."""
        with self._lock:
            self._abandoned = True
            self._stop_asked.set()
            self._attempt.nodes.ended.set()
        self._attempt.nodes.kill()  # without the lock: a process ends when its log is read, which may want the lock
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
            if status == "Stopping":
                self._record["TrainingJobStatus"] = status

    def _enter_unless_stopping(self, status: str, message: str) -> None:
        with self._lock:
            if not self._stop_asked.is_set():
                self._enter(status, message)

    def _message(self, message: str) -> None:
        self._record["SecondaryStatusTransitions"][-1]["StatusMessage"] = message

    def _train(self) -> Outcome:
        while True:
            if (outcome := self._await_instances()) is not None:
                return outcome
            self._spent = (self._spent[0], self._clock.now())
            try:
                outcome = self._try()
            finally:
                self._spent = (self._instance_seconds(self._clock.now()), None)
            if outcome is None:
                outcome = self._wait_for_capacity()
            if outcome is not None:
                return outcome

    def _await_instances(self) -> Outcome | None:
        """None once there are instances of the type, or the outcome. Raises JobError. Nothing of it bills."""
        wanted, is_spot = self._record["ResourceConfig"].get("InstanceType", ""), spot.is_spot(self._record)
        while capacity.is_short(self._cloud, "Training", wanted, is_spot):
            if not is_spot:
                raise JobError(capacity.TRAINING_REASON)
            self._message(capacity.WAITING)
            if self._stop_asked.wait(CAPACITY_PAUSE_SECONDS):
                return STOPPED
            if self._clock.now() >= spot.deadline(self._record):
                return self._exceed_wait()
        return None

    def _exceed_wait(self) -> Outcome:
        self._enter("Stopping", FINAL_MESSAGES["MaxWaitTimeExceeded"])
        return "Stopped", "MaxWaitTimeExceeded", ""

    def _try(self) -> Outcome | None:
        """One attempt's outcome, or None if it was interrupted."""
        self._message("Preparing the instances for training")
        if self._stop_asked.is_set():
            return STOPPED
        if "TrainingStartTime" not in self._record:
            self._record["TrainingStartTime"] = self._clock.now()
            self._bill = meters.training(
                self._cloud, self._region, self._record, self._instance_seconds, self._billable_seconds
            )
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
        while not ended.is_set() and (now := self._clock.now()) < limit:
            due = self._interruption_due()
            if now >= due:
                self.interrupt(self._market.rate.interruption())
                break
            pause = max(CHECKPOINT_SYNC_SECONDS, self._clock.cloud_seconds(SYNC_PAUSE_SECONDS))
            self._clock.wait(ended, min(pause, limit - now, due - now))
            if not ended.is_set():
                self._attempt.sync()
        self._training_seconds += self._clock.now() - begin
        return self._end_of_wait("MaxRuntimeExceeded" if limit == begin + runtime else "MaxWaitTimeExceeded")

    def _interruption_due(self) -> float:
        if not self._record["EnableManagedSpotTraining"]:
            return math.inf
        return self._market.due(self._record["TrainingJobName"], self._attempts, self._begun)

    def _end_of_wait(self, limit: str) -> Outcome | None:
        """End the processes in the way that their end asks for; `limit` is the one that applies if nothing else did."""
        nodes = self._attempt.nodes
        if self._abandoned:
            nodes.kill()
            return STOPPED
        if self._interruption is not None and not self._stop_asked.is_set():
            self._lose_instances(self._interruption)
            return STOPPED if self._stop_asked.is_set() else None
        if self._stop_asked.is_set() or not nodes.ended.is_set():
            if limit == "MaxWaitTimeExceeded" and not self._stop_asked.is_set():
                self._enter("Stopping", FINAL_MESSAGES[limit])
            nodes.terminate(STOP_GRACE_SECONDS)
            return "Stopped", "Stopped" if self._stop_asked.is_set() else limit, ""
        nodes.terminate(STOP_GRACE_SECONDS)  # the others, where one has failed
        reason = nodes.failure()
        return ("Failed", "Failed", reason) if reason else ("Completed", "Completed", "")

    def _lose_instances(self, interruption: Interruption) -> None:
        if interruption.notice == "none":
            self._attempt.nodes.kill()  # and no last look at the checkpoints: their disks are gone
            return
        self._attempt.nodes.terminate(STOP_GRACE_SECONDS)
        self._attempt.sync()

    def _wait_for_capacity(self) -> Outcome | None:
        """After an interruption: None once a new attempt may begin, or the outcome."""
        seconds = self._interruption.capacity_after_seconds if self._interruption else 0.0
        self._attempt.remove()
        self._enter_unless_stopping("Interrupted", spot.INTERRUPTED)
        limit = spot.deadline(self._record) - self._clock.now()
        stopped = self._clock.wait(self._stop_asked, max(0.0, min(seconds, limit)))
        if not stopped and seconds >= limit:
            return self._exceed_wait()
        with self._lock:
            if self._stop_asked.is_set():
                return STOPPED
            self._interruption = None
            self._attempt = self._begin()
        return None

    def _finish(self, status: str, secondary: str, reason: str) -> None:
        record, now = self._record, self._clock.now()
        final = self._scanner.final()
        with self._lock:
            self._enter(secondary, reason or FINAL_MESSAGES[secondary])
            record["SecondaryStatusTransitions"][-1]["EndTime"] = now
            if "TrainingStartTime" in record:
                record |= {"TrainingEndTime": now, **spot.seconds(record, self._instance_seconds(now))}
                self._settle(now)
            record |= {"FinalMetricDataList": final} if final else {}
            record |= {"FailureReason": reason} if reason else {}
            record["TrainingJobStatus"] = status  # last: who polls the status finds everything else in place

    def _instance_seconds(self, now: float) -> float:
        """Wall-clock time of the job's instances so far, in all attempts."""
        before, since = self._spent
        return before + (now - since if since is not None else 0.0)

    def _billable_seconds(self, now: float) -> int:
        return spot.seconds(self._record, self._instance_seconds(now))["BillableTimeInSeconds"]

    def _settle(self, now: float) -> None:
        """The job's bill is final; that of its warm pool, if it has one, begins."""
        for usage in self._bill:
            usage.stop(now)
        if self.kept_until is not None and self._record["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
            meters.warm_pool(self._cloud, self._region, self._record, self.kept_until)
