"""One tuning job: starts training jobs with sampled hyperparameters, as many at a time as allowed, and stops them."""

import secrets
import sys
import threading
import traceback
from collections.abc import Mapping
from functools import partial
from typing import Any

from localaws.cloud import Cloud
from localaws.sagemaker import early_stopping, sampling, training, tuning_results
from localaws.sagemaker.state import SageMaker
from localaws.sagemaker.tuning_results import Child, Objective

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
        self._objective = Objective(config=config["HyperParameterTuningJobObjective"])
        self._stops_early = config.get("TrainingJobEarlyStoppingType") == "Auto"
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
            if child.status == "InProgress":
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
            most, number = self._limits.get("MaxNumberOfTrainingJobs"), len(self.children)
            if self._ended or self._is_enough() or (most is not None and number >= most):
                return None
            tuned = next(self._samples, None)
            if tuned is None:
                return None
            request, observe = self._request(tuned), partial(self._observe, number)
            arn = self.record["HyperParameterTuningJobArn"]
            where = (self._cloud, self._region, self._records)
            job = training.launch(*where, request, self._tags, observe, TuningJobArn=arn)
            self.children.append(Child(job=job, tuned=tuned))
            return self.children[-1]

    def _request(self, tuned: Mapping[str, str]) -> dict[str, Any]:
        """The training job's request; AWS's name for it is <tuning job>-<number>-<8 random hex digits>."""
        name, number = self.record["HyperParameterTuningJobName"], len(self.children) + 1
        static = self._definition["HyperParameters"]
        parameters = {**static, **tuned, OBJECTIVE_PARAMETER: self._objective.metric}
        training_job = f"{name}-{number:03d}-{secrets.token_hex(4)}"
        return {**self._definition, "TrainingJobName": training_job, "HyperParameters": parameters}

    def _observe(self, number: int, metric: str, value: float) -> None:
        """A training job has printed a metric: note the objective, and stop the job early if that is asked for."""
        if metric != self._objective.metric:
            return
        with self._records.lock:  # which is held while a training job is started
            child = self.children[number]
            child.values.append(value)
            if not self._stops_early or child.status != "InProgress":
                return
            completed = [other.values for other in self.children if other.status == "Completed"]
            if early_stopping.is_hopeless(child.values, completed, maximize=self._objective.maximize):
                child.job.run.stop()

    def _is_enough(self) -> bool:
        """Whether the target is reached, or nothing has worked so far."""
        best = tuning_results.best(self.summaries(), self._objective)
        if best is None:
            failed = [child for child in self.children if child.status == "Failed"]
            return len(failed) >= ATTEMPTS_WITHOUT_SUCCESS and len(failed) == len(self.children)
        return self._target is not None and self._objective.at_least(tuning_results.value(best), self._target)

    def _outcome(self) -> tuple[str, str]:
        """(status, FailureReason) at the end."""
        if self.record["HyperParameterTuningJobStatus"] == "Stopping":
            return "Stopped", ""
        if "FailureReason" in self.record:
            return "Failed", self.record["FailureReason"]
        if tuning_results.best(self.summaries(), self._objective) is not None:
            return "Completed", ""
        states = [child.status for child in self.children]
        if "Completed" in states:
            return "Failed", NO_METRIC.format(count=len(states))
        return "Failed", NO_SUCCESS if states.count("Failed") >= ATTEMPTS_WITHOUT_SUCCESS else ALL_FAILED

    def summaries(self) -> list[dict[str, Any]]:
        """HyperParameterTrainingJobSummary of each training job, in the order of their start."""
        return [tuning_results.summary(child, self._objective) for child in list(self.children)]

    def describe(self) -> dict[str, Any]:
        """DescribeHyperParameterTuningJob. RuntimeInSeconds is wall-clock time of the tuning job, as AWS says."""
        end = self.record.get("HyperParameterTuningEndTime", self._cloud.clock.now())
        return {
            **self.record,
            **tuning_results.describe(self.summaries(), self._objective),
            "ConsumedResources": {"RuntimeInSeconds": round(end - self.record["CreationTime"])},
        }
