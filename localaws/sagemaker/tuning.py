"""The tuning jobs' API; the search is tuning_run.py, the sampling sampling.py, what is refused tuning_checks.py."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from localaws import quotas
from localaws.cloud import Call, Handler
from localaws.errors import AwsError, validation
from localaws.paging import page
from localaws.sagemaker import usage
from localaws.sagemaker.listing import DEFAULT_RESULTS, listing
from localaws.sagemaker.state import in_use, keep_tags, sagemaker_arn, store
from localaws.sagemaker.tuning_checks import checked_definition
from localaws.sagemaker.tuning_run import TuningRun

TERMINAL = ("Completed", "Failed", "Stopped")


def create_hyper_parameter_tuning_job(call: Call) -> Mapping[str, Any]:
    """runs training jobs and stops them early by the median rule; run time and convergence limits: stored only"""
    request, records = call.request, store(call)
    name, now = request["HyperParameterTuningJobName"], call.cloud.clock.now()
    where = sagemaker_arn(call, "hyper-parameter-tuning-job", name)
    with records.lock:
        if name in records.tunings:
            raise in_use(
                "Hyperparameter tuning job names must be unique within an AWS account and region, and a "
                f"hyperparameter tuning job with this name already exists ({where})"
            )
        definition = checked_definition(call)
        parallel = request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
        asked = {what: count * parallel for what, count in usage.training(definition).items()}
        quotas.check(call.cloud, records, Counter(asked))
        record = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "HyperParameterTuningJobArn": where,
            "HyperParameterTuningJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        keep_tags(call, where)
        # AWS gives the tuning job's tags to its training jobs too.
        run = TuningRun(call.cloud, call.region, records, record, definition, dict(records.tags[where]))
        records.tunings[name] = run
    threading.Thread(target=run.run, name=f"tuning-{name}", daemon=True).start()
    return record


def _run(call: Call) -> TuningRun:
    name, tunings = call.request["HyperParameterTuningJobName"], store(call).tunings
    if name not in tunings:
        raise AwsError(
            "ResourceNotFound",
            f"Amazon SageMaker can't find a tuning job with the name {name}. The job name is case-sensitive. "
            "Verify the tuning job name and try again.",
        )
    return tunings[name]


def describe_hyper_parameter_tuning_job(call: Call) -> Mapping[str, Any]:
    return _run(call).describe()


def list_hyper_parameter_tuning_jobs(call: Call) -> Mapping[str, Any]:
    found = [
        {
            **run.describe(),
            "Strategy": run.record["HyperParameterTuningJobConfig"]["Strategy"],
            "ResourceLimits": run.record["HyperParameterTuningJobConfig"]["ResourceLimits"],
        }
        for run in list(store(call).tunings.values())
    ]
    request = {"SortBy": "Name", "SortOrder": "Ascending", **call.request}
    shown, token = listing(request, found, "HyperParameterTuningJobName", "HyperParameterTuningJobStatus")
    return {"HyperParameterTuningJobSummaries": shown, "NextToken": token}


_SORT_KEYS = {"Name": "TrainingJobName", "CreationTime": "CreationTime", "Status": "TrainingJobStatus"}
_OBJECTIVE = "FinalHyperParameterTuningJobObjectiveMetric"


def list_training_jobs_for_hyper_parameter_tuning_job(call: Call) -> Mapping[str, Any]:
    """by name, ascending, unless asked otherwise; by objective only those that have one, as in AWS"""
    request, wanted = call.request, call.request.get("StatusEquals")
    found = [item for item in _run(call).summaries() if wanted in (None, item["TrainingJobStatus"])]
    sort = request.get("SortBy", "Name")
    if sort == "FinalObjectiveMetricValue":
        found = sorted((item for item in found if _OBJECTIVE in item), key=lambda item: item[_OBJECTIVE]["Value"])
    else:
        found.sort(key=lambda item: item[_SORT_KEYS[sort]])
    if request.get("SortOrder") == "Descending":
        found.reverse()
    shown, token = page(found, request.get("NextToken"), request.get("MaxResults", DEFAULT_RESULTS))
    return {"TrainingJobSummaries": shown, "NextToken": token}


def _refuse(run: TuningRun) -> AwsError:
    status = run.record["HyperParameterTuningJobStatus"]
    return validation(f"The request was rejected because the hyperparameter tuning job is in status {status}.")


def stop_hyper_parameter_tuning_job(call: Call) -> None:
    run = _run(call)
    with store(call).lock:
        if run.record["HyperParameterTuningJobStatus"] in TERMINAL:
            raise _refuse(run)
        if run.record["HyperParameterTuningJobStatus"] != "Stopping":
            run.stop()


def delete_hyper_parameter_tuning_job(call: Call) -> None:
    """only the record, and only in a terminal state; the training jobs stay, as in AWS"""
    run, records = _run(call), store(call)
    if run.record["HyperParameterTuningJobStatus"] not in TERMINAL:
        raise _refuse(run)
    with records.lock:
        records.tunings.pop(run.record["HyperParameterTuningJobName"], None)
        records.tags.pop(run.record["HyperParameterTuningJobArn"], None)


OPERATIONS: dict[str, Handler] = {
    "CreateHyperParameterTuningJob": create_hyper_parameter_tuning_job,
    "DeleteHyperParameterTuningJob": delete_hyper_parameter_tuning_job,
    "DescribeHyperParameterTuningJob": describe_hyper_parameter_tuning_job,
    "ListHyperParameterTuningJobs": list_hyper_parameter_tuning_jobs,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs_for_hyper_parameter_tuning_job,
    "StopHyperParameterTuningJob": stop_hyper_parameter_tuning_job,
}
