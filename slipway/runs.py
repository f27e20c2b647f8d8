"""`slipway runs`: the stack's runs, from the training jobs that AWS still knows and from the registry."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.table import Table

from slipway.errors import SlipwayError
from slipway.invoke import served_artifact
from slipway.leaks import own_name
from slipway.project import Stack
from slipway.registry import Package, packages
from slipway.searches import tuning_jobs

ACCURACY = "test_accuracy"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run. `approval` is the registry's word, empty when the run did not pass; `reason` why it failed."""

    name: str
    status: str
    created: datetime
    seconds: float | None = None
    instance: str = ""
    metrics: dict[str, str] = field(default_factory=dict)
    approval: str = ""
    served: bool = False
    reason: str = ""


def find_runs(stack: Stack) -> list[Run]:
    """Every run of the stack, newest first."""
    registered = {package.run: package for package in packages(stack)}
    served = _served(stack)
    found = {run.name: run for run in _jobs(stack, registered, served)}
    for package in registered.values():
        if package.run not in found:
            found[package.run] = _of_package(package, served)
    return sorted(found.values(), key=lambda run: run.created, reverse=True)


def _served(stack: Stack) -> str:
    try:
        return served_artifact(stack)
    except SlipwayError:
        return ""  # no endpoint: nothing is served


def _jobs(stack: Stack, registered: dict[str, Package], served: str) -> Iterator[Run]:
    sagemaker = stack.client("sagemaker")
    for name in [*_own_jobs(stack), *_tuned_jobs(stack)]:
        job = sagemaker.describe_training_job(TrainingJobName=name)
        package = registered.get(name)
        resources = job.get("ResourceConfig", {})
        yield Run(
            name=name,
            status=job["TrainingJobStatus"],
            created=job["CreationTime"],
            seconds=job.get("TrainingTimeInSeconds"),
            instance=f"{resources.get('InstanceCount', 1)} x {resources.get('InstanceType', '')}",
            metrics=package.metrics if package else _metrics(job),
            approval=package.status if package else "",
            served=job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "") == served != "",
            reason=job.get("FailureReason", "").splitlines()[0] if job.get("FailureReason") else "",
        )


def _own_jobs(stack: Stack) -> list[str]:
    pages = stack.client("sagemaker").get_paginator("list_training_jobs").paginate(NameContains=f"{stack.prefix}-")
    names = (job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"])
    return [name for name in names if own_name(stack.prefix, name)]


def _tuned_jobs(stack: Stack) -> list[str]:
    """The training jobs of the stack's tuning jobs."""
    sagemaker = stack.client("sagemaker")
    return [
        job["TrainingJobName"]
        for tuning in tuning_jobs(stack)
        for page in sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=tuning
        )
        for job in page["TrainingJobSummaries"]
    ]


def _metrics(job: dict[str, Any]) -> dict[str, str]:
    return {
        metric["MetricName"].replace(":", "_"): f"{metric['Value']:.6g}"
        for metric in job.get("FinalMetricDataList", [])
    }


def _of_package(package: Package, served: str) -> Run:
    """A run whose job AWS no longer knows."""
    return Run(
        name=package.run,
        status="Completed",
        created=package.created,
        metrics=package.metrics,
        approval=package.status,
        served=package.artifact == served != "",
    )


def table(runs: list[Run]) -> Table:
    """The runs as people read them."""
    shown = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("run", "status", "created", "took", "on", "accuracy", "approval", ""):
        shown.add_column(column, no_wrap=column == "run", justify="right" if column in ("took", "accuracy") else "left")
    for run in runs:
        shown.add_row(
            run.name,
            run.status,
            f"{run.created:%Y-%m-%d %H:%M}",
            "" if run.seconds is None else f"{run.seconds:.0f} s",
            run.instance,
            run.metrics.get(ACCURACY, ""),
            run.approval or run.reason,
            "[green]served[/]" if run.served else "",
        )
    return shown
