"""What a stack leaves as a record, without cost: run logs, registered models, the training jobs of tuning jobs.

`pulumi destroy` keeps them, because no resource stands for them; `slipway down` removes them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from slipway.leaks import own_name, tagged_arns
from slipway.project import Stack
from slipway.registry import groups, packages_of
from slipway.searches import RUNNING, pages
from slipway.teardown.arns import is_gone, kind_of, last_part

RUN_LOGS = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True, kw_only=True, order=True)
class Record:
    """One record. `kind` is run log, training job, registered model or model registry."""

    kind: str
    name: str


def find_records(stack: Stack) -> list[Record]:
    """Every record of the stack, in the order in which they can be removed."""
    tuned = list(_tuned_runs(stack))
    return [
        *(Record(kind="run log", name=stream) for stream in _log_streams(stack, tuned)),
        *(Record(kind="training job", name=name) for name in tuned),
        *(
            record
            for group in groups(stack)
            for record in (
                *(Record(kind="registered model", name=package.arn) for package in packages_of(stack, group)),
                Record(kind="model registry", name=group),
            )
        ),
    ]


def remove_records(stack: Stack, records: list[Record], show: Callable[[str], None]) -> None:
    """Remove them; what is gone already is no error."""
    logs, sagemaker = stack.client("logs"), stack.client("sagemaker")
    remove: dict[str, Callable[[str], object]] = {
        "run log": lambda name: logs.delete_log_stream(logGroupName=RUN_LOGS, logStreamName=name),
        "training job": lambda name: sagemaker.delete_training_job(TrainingJobName=name),
        "registered model": lambda name: sagemaker.delete_model_package(ModelPackageName=name),
        "model registry": lambda name: sagemaker.delete_model_package_group(ModelPackageGroupName=name),
    }
    for record in records:
        show(f"{record.kind} {record.name}")
        try:
            remove[record.kind](record.name)
        except ClientError as error:
            if not is_gone(error):
                raise


def _tuned_runs(stack: Stack) -> Iterator[str]:
    """Training jobs that a tuning job of the stack made: they carry its tags and names of their own."""
    sagemaker = stack.client("sagemaker")
    for arn in tagged_arns(stack):
        name = last_part(arn)
        if kind_of(arn) != "sagemaker training-job" or own_name(stack.prefix, name):
            continue
        if sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] not in RUNNING:
            yield name


def _log_streams(stack: Stack, tuned: list[str]) -> Iterator[str]:
    """Streams of the stack's runs, in the log group that all SageMaker training jobs of the account share."""
    logs = stack.client("logs")
    found = pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=RUN_LOGS)
    if not any(group["logGroupName"] == RUN_LOGS for group in found):
        return
    for prefix in (f"{stack.prefix}-", *(f"{name}/" for name in tuned)):
        streams = pages(logs, "describe_log_streams", "logStreams", logGroupName=RUN_LOGS, logStreamNamePrefix=prefix)
        for stream in streams:
            run = stream["logStreamName"].split("/")[0]
            if run in tuned or own_name(stack.prefix, run):
                yield stream["logStreamName"]
