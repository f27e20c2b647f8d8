"""The tuning jobs' API; the search itself is tuning_run.py, the sampling sampling.py."""

import threading
from collections.abc import Mapping
from typing import Any

from localaws.cloud import Call, Handler
from localaws.errors import AwsError, validation
from localaws.iam.platform import Actor
from localaws.paging import page
from localaws.sagemaker import metrics, permissions, sampling, training_checks
from localaws.sagemaker.listing import DEFAULT_RESULTS, listing
from localaws.sagemaker.state import in_use, keep_tags, sagemaker_arn, store
from localaws.sagemaker.tuning_run import TuningRun

TERMINAL = ("Completed", "Failed", "Stopped")
NOT_EMULATED = ("TrainingJobDefinitions", "WarmStartConfig", "Autotune")
# What a training job takes over as it is.
SHARED = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
)


def create_hyper_parameter_tuning_job(call: Call) -> Mapping[str, Any]:
    """runs training jobs; Bayesian and Hyperband sample as Random does; early stopping and run time: stored only"""
    request, records = call.request, store(call)
    name, now = request["HyperParameterTuningJobName"], call.cloud.clock.now()
    where = sagemaker_arn(call, "hyper-parameter-tuning-job", name)
    with records.lock:
        if name in records.tunings:
            raise in_use(
                "Hyperparameter tuning job names must be unique within an AWS account and region, and a "
                f"hyperparameter tuning job with this name already exists ({where})"
            )
        definition = _checked_definition(call)
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


def _checked_definition(call: Call) -> dict[str, Any]:
    """The training jobs' request without name and tuned hyperparameters, checked as CreateTrainingJob would."""
    request = call.request
    for part in NOT_EMULATED:
        if part in request:
            raise validation(f"{part} is not emulated; leave it out.")
    given, config = request.get("TrainingJobDefinition"), request["HyperParameterTuningJobConfig"]
    if given is None:
        raise validation("TrainingJobDefinition is required.")
    static = given.get("StaticHyperParameters", {})
    _check_search(config, static)
    definition = {name: given[name] for name in SHARED if name in given}
    definition["ResourceConfig"] = _resources(given)
    definition["HyperParameters"] = static
    objective, names = config["HyperParameterTuningJobObjective"]["MetricName"], _metrics(given)
    if objective not in names:
        raise validation(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            f"definitions. (Objective: {objective}; defined: {', '.join(names) or 'none'})"
        )
    metrics.Scanner(given["AlgorithmSpecification"].get("MetricDefinitions", []))  # refuses what does not compile
    training_checks.check(definition, call.region)
    permissions.check_training(Actor(cloud=call.cloud, role=given["RoleArn"], region=call.region), definition)
    permissions.check_training(Actor(cloud=call.cloud, role=definition["RoleArn"], region=call.region), definition)
    return definition


def _metrics(definition: Mapping[str, Any]) -> list[str]:
    return [item["Name"] for item in definition["AlgorithmSpecification"].get("MetricDefinitions", [])]


def _resources(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """ResourceConfig, or the same from HyperParameterTuningResourceConfig, which AWS's SDK sends."""
    plain, own = definition.get("ResourceConfig"), definition.get("HyperParameterTuningResourceConfig")
    if (plain is None) == (own is None):
        raise validation("Exactly one of ResourceConfig and HyperParameterTuningResourceConfig must be given.")
    if plain is not None:
        found: Mapping[str, Any] = plain
        return found
    assert own is not None
    choice = {**own, **own.get("InstanceConfigs", [{}])[0]}
    kept = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
    return {name: choice[name] for name in kept if name in choice}


def _check_search(config: Mapping[str, Any], static: Mapping[str, str]) -> None:
    strategy, limits = config["Strategy"], config["ResourceLimits"]
    ranges, most = config.get("ParameterRanges", {}), limits.get("MaxNumberOfTrainingJobs")
    if "HyperParameterTuningJobObjective" not in config:
        raise validation("HyperParameterTuningJobObjective is required.")
    sampling.check(strategy, ranges, static)
    possible = sampling.combinations(ranges)
    if strategy == "Grid":
        if most is not None and most != possible:
            raise validation(
                f"MaxNumberOfTrainingJobs is {most}; for Grid search it must be left out or equal the number of "
                f"combinations of the categorical hyperparameters, {possible:.0f}."
            )
        return
    if most is None:
        raise validation(f"MaxNumberOfTrainingJobs is required for the strategy {strategy}.")
    if possible < most:
        raise validation(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{possible}] must be equal or greater than the value of "
            f"MaxNumberOfJobs, [{most}]. Provide additional ranges."
        )


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
