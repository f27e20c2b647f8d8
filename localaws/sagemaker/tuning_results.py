"""What a tuning job tells of its training jobs: summaries, objective values, counters, the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws.sagemaker.job import TERMINAL
from localaws.sagemaker.state import TrainingJob

_COUNTER = {"Completed": "Completed", "Failed": "NonRetryableError", "Stopped": "Stopped"}
_COUNTERS = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
_OBJECTIVES = ("Succeeded", "Pending", "Failed")
_SUMMARY = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime")
_FINAL = "FinalHyperParameterTuningJobObjectiveMetric"


@dataclass(frozen=True, kw_only=True)
class Child:
    """A training job that the tuning job started, the hyperparameters tried in it, its objective epoch by epoch."""

    job: TrainingJob
    tuned: Mapping[str, str]
    values: list[float] = field(default_factory=list)

    @property
    def status(self) -> str:
        found: str = self.job.record["TrainingJobStatus"]
        return found


@dataclass(frozen=True, kw_only=True)
class Objective:
    """HyperParameterTuningJobObjective."""

    config: Mapping[str, str]

    @property
    def metric(self) -> str:
        return self.config["MetricName"]

    @property
    def maximize(self) -> bool:
        return self.config["Type"] == "Maximize"

    def at_least(self, value: float, target: float) -> bool:
        return value >= target if self.maximize else value <= target


def summary(child: Child, objective: Objective) -> dict[str, Any]:
    """HyperParameterTrainingJobSummary. The final objective is the latest value that the job has printed."""
    record, status = child.job.record, child.status
    final = child.values[-1] if child.values and status in ("Completed", "Stopped") else None
    found = {
        **{name: record[name] for name in _SUMMARY if name in record},
        "TrainingJobStatus": status,
        "TunedHyperParameters": child.tuned,
        "ObjectiveStatus": "Pending" if status not in TERMINAL else "Failed" if final is None else "Succeeded",
        "FailureReason": record.get("FailureReason"),
    }
    return found if final is None else {**found, _FINAL: {**objective.config, "Value": final}}


def best(summaries: Sequence[Mapping[str, Any]], objective: Objective) -> Mapping[str, Any] | None:
    """BestTrainingJob: the first of those with the best value."""
    succeeded = [item for item in summaries if item["ObjectiveStatus"] == "Succeeded"]
    sign = 1 if objective.maximize else -1
    return max(succeeded, key=lambda item: item[_FINAL]["Value"] * sign, default=None)


def value(found: Mapping[str, Any]) -> float:
    """The final objective of a summary that has one."""
    number: float = found[_FINAL]["Value"]
    return number


def describe(summaries: Sequence[Mapping[str, Any]], objective: Objective) -> dict[str, Any]:
    """The members of DescribeHyperParameterTuningJob that follow from the training jobs."""
    states = [_COUNTER.get(item["TrainingJobStatus"], "InProgress") for item in summaries]
    objectives = [item["ObjectiveStatus"] for item in summaries]
    return {
        "TrainingJobStatusCounters": {name: states.count(name) for name in _COUNTERS},
        "ObjectiveStatusCounters": {name: objectives.count(name) for name in _OBJECTIVES},
        "BestTrainingJob": best(summaries, objective),
    }
