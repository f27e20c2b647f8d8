"""One tuning job: starts training jobs with sampled hyperparameters, as many at a time as allowed, and counts them."""

import secrets
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localaws.cloud import Cloud
from localaws.sagemaker import sampling, training
from localaws.sagemaker.job import TERMINAL
from localaws.sagemaker.state import SageMaker, TrainingJob

OBJECTIVE_PARAMETER = "_tuning_objective_metric"
ATTEMPTS_WITHOUT_SUCCESS = 5
NO_SUCCESS = (
    f"No training job succeeded after {ATTEMPTS_WITHOUT_SUCCESS} attempts. "
    "Please take a look at the training job failures to get more details."
)
ALL_FAILED = "All training jobs failed. Please take a look at the training jobs failures to get more details."
NO_METRIC = (
    "No objective metrics found after running {count} training jobs. Please ensure that the custom algorithm is "
    "emitting the objective metric as defined by the regular expression provided."
)
INTERNAL = "InternalServerError: We encountered an internal error. Please try again."
_COUNTER = {"Completed": "Completed", "Failed": "NonRetryableError", "Stopped": "Stopped"}
_SUMMARY = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime")


@dataclass(frozen=True, kw_only=True)
class Child:
    """A training job that the tuning job started, and the values that were tried in it."""

    job: TrainingJob
    tuned: Mapping[str, str]


class TuningRun:
    """Runs one tuning job in threads of its own: MaxParallelTrainingJobs workers, one training job at a time each.

    `record` holds the members of DescribeHyperParameterTuningJob that do not follow from the training jobs.
    """

    def __init__(
        self,
        cloud: Cloud,
        region: str,
        records: SageMaker,
        record: dict[str, Any],
        definition: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> None:
        config = record["HyperParameterTuningJobConfig"]
        self._cloud = cloud
        self._region = region
        self._records = records
        self.record = record
        self._definition = definition
        self._tags = tags
        self._limits = config["ResourceLimits"]
        self._objective = config["HyperParameterTuningJobObjective"]
        self._target = config.get("TuningJobCompletionCriteria", {}).get("TargetObjectiveMetricValue")
        seed = config.get("RandomSeed", record["HyperParameterTuningJobName"])
        self._samples = sampling.samples(config["Strategy"], config["ParameterRanges"], seed)
        self._ended = False
        self.children: list[Child] = []

    def stop(self) -> None:
        """StopHyperParameterTuningJob: no new training jobs; those that run are stopped. Call it with the lock held."""
        self.record["HyperParameterTuningJobStatus"] = "Stopping"
        self._ended = True
        for child in self.children:
            if child.job.record["TrainingJobStatus"] == "InProgress":
                child.job.run.stop()

    def abandon(self) -> None:
        """Start nothing any more; the jobs are abandoned by whoever has them."""
        with self._records.lock:
            self._ended = True

    def run(self) -> None:
        """Body of the tuning job's thread."""
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(self._workers())]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        status, reason = self._outcome()
        now = self._cloud.clock.now()
        self.record |= {"FailureReason": reason} if reason else {}
        self.record |= {"HyperParameterTuningEndTime": now, "LastModifiedTime": now}
        self.record["HyperParameterTuningJobStatus"] = status  # last: who polls it finds everything else in place

    def _workers(self) -> int:
        parallel: int = self._limits["MaxParallelTrainingJobs"]
        return min(parallel, self._limits.get("MaxNumberOfTrainingJobs", parallel))

    def _work(self) -> None:
        try:
            while (child := self._start_next()) is not None:
                child.job.run.finished.wait()
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self.record["FailureReason"] = INTERNAL

    def _start_next(self) -> Child | None:
        with self._records.lock:
            most = self._limits.get("MaxNumberOfTrainingJobs")
            if self._ended or self._is_enough() or (most is not None and len(self.children) >= most):
                return None
            tuned = next(self._samples, None)
            if tuned is None:
                return None
            request = self._request(tuned)
            arn = self.record["HyperParameterTuningJobArn"]
            job = training.launch(self._cloud, self._region, self._records, request, self._tags, TuningJobArn=arn)
            self.children.append(Child(job=job, tuned=tuned))
            return self.children[-1]

    def _request(self, tuned: Mapping[str, str]) -> dict[str, Any]:
        """The training job's request; AWS's name for it is <tuning job>-<number>-<8 random hex digits>."""
        name, number = self.record["HyperParameterTuningJobName"], len(self.children) + 1
        static = self._definition["HyperParameters"]
        parameters = {**static, **tuned, OBJECTIVE_PARAMETER: self._objective["MetricName"]}
        training_job = f"{name}-{number:03d}-{secrets.token_hex(4)}"
        return {**self._definition, "TrainingJobName": training_job, "HyperParameters": parameters}

    def _is_enough(self) -> bool:
        """Whether the target is reached, or nothing has worked so far."""
        best = self.best()
        if best is None:
            failed = [child for child in self.children if child.job.record["TrainingJobStatus"] == "Failed"]
            return len(failed) >= ATTEMPTS_WITHOUT_SUCCESS and len(failed) == len(self.children)
        value = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        return self._target is not None and (value - self._target) * self._sign() >= 0

    def _sign(self) -> int:
        return 1 if self._objective["Type"] == "Maximize" else -1

    def _outcome(self) -> tuple[str, str]:
        """(status, FailureReason) at the end."""
        if self.record["HyperParameterTuningJobStatus"] == "Stopping":
            return "Stopped", ""
        if "FailureReason" in self.record:
            return "Failed", self.record["FailureReason"]
        if self.best() is not None:
            return "Completed", ""
        states = [child.job.record["TrainingJobStatus"] for child in self.children]
        if "Completed" in states:
            return "Failed", NO_METRIC.format(count=len(states))
        return "Failed", NO_SUCCESS if states.count("Failed") >= ATTEMPTS_WITHOUT_SUCCESS else ALL_FAILED

    def summaries(self) -> list[dict[str, Any]]:
        """HyperParameterTrainingJobSummary of each training job, in the order of their start."""
        return [self._summary(child) for child in list(self.children)]

    def _summary(self, child: Child) -> dict[str, Any]:
        record = child.job.record
        status = record["TrainingJobStatus"]
        value = self._value(record) if status in ("Completed", "Stopped") else None
        found = {
            **{name: record[name] for name in _SUMMARY if name in record},
            "TrainingJobStatus": status,
            "TunedHyperParameters": child.tuned,
            "ObjectiveStatus": "Pending" if status not in TERMINAL else "Failed" if value is None else "Succeeded",
            "FailureReason": record.get("FailureReason"),
        }
        if value is not None:
            found["FinalHyperParameterTuningJobObjectiveMetric"] = {**self._objective, "Value": value}
        return found

    def _value(self, record: Mapping[str, Any]) -> float | None:
        """The last value of the objective metric that the job has printed."""
        printed = {item["MetricName"]: item["Value"] for item in record.get("FinalMetricDataList", [])}
        return printed.get(self._objective["MetricName"])

    def best(self) -> dict[str, Any] | None:
        """BestTrainingJob: the first of those with the best value."""
        succeeded = [item for item in self.summaries() if item["ObjectiveStatus"] == "Succeeded"]
        name, sign = "FinalHyperParameterTuningJobObjectiveMetric", self._sign()
        return max(succeeded, key=lambda item: item[name]["Value"] * sign, default=None)

    def describe(self) -> dict[str, Any]:
        """DescribeHyperParameterTuningJob."""
        summaries = self.summaries()
        states = [_COUNTER.get(item["TrainingJobStatus"], "InProgress") for item in summaries]
        objectives = [item["ObjectiveStatus"] for item in summaries]
        counted = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
        seconds = [child.job.record.get("TrainingTimeInSeconds", 0) for child in list(self.children)]
        return {
            **self.record,
            "TrainingJobStatusCounters": {name: states.count(name) for name in counted},
            "ObjectiveStatusCounters": {name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")},
            "BestTrainingJob": self.best(),
            "ConsumedResources": {"RuntimeInSeconds": sum(seconds)},
        }
