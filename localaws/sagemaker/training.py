"""The training jobs' API; the job itself is job.py."""

import threading
from collections.abc import Mapping
from typing import Any

from localaws import s3
from localaws.cloud import Call, Handler
from localaws.errors import validation
from localaws.sagemaker import channels
from localaws.sagemaker.job import TERMINAL, TrainingRun
from localaws.sagemaker.listing import listing
from localaws.sagemaker.state import (
    TrainingJob,
    check_repository,
    check_role,
    in_use,
    keep_tags,
    sagemaker_arn,
    store,
)

MAX_RUNTIME_SECONDS = 86_400  # AWS's default
SWITCHES = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")


def create_training_job(call: Call) -> Mapping[str, Any]:
    """runs the image; spot, retries and warm pools are stored only"""
    name, records = call.request["TrainingJobName"], store(call)
    with records.lock:
        if name in records.jobs:
            where = sagemaker_arn(call, "training-job", name)
            raise in_use(
                "Training job names must be unique within an AWS account and region, and a training job with this "
                f"name already exists ({where})"
            )
        _check(call)
        record = _record(call)
        run = TrainingRun(call.cloud, call.region, record)
        records.jobs[name] = TrainingJob(record=record, run=run)
        keep_tags(call, record["TrainingJobArn"])
    threading.Thread(target=run.run, name=f"job-{name}", daemon=True).start()
    return record


def _check(call: Call) -> None:
    request = call.request
    spec, stopping = request["AlgorithmSpecification"], request.get("StoppingCondition", {})
    if ("TrainingImage" in spec) == ("AlgorithmName" in spec):
        raise validation("Exactly one of TrainingImage and AlgorithmName must be given in AlgorithmSpecification.")
    if "AlgorithmName" in spec:
        raise validation("AlgorithmName is not emulated; give a TrainingImage.")
    if request["ResourceConfig"].get("InstanceGroups"):
        raise validation("InstanceGroups are not emulated; give InstanceType and InstanceCount.")
    check_role(request["RoleArn"])
    check_repository(spec["TrainingImage"], request["RoleArn"])
    runtime = stopping.get("MaxRuntimeInSeconds", MAX_RUNTIME_SECONDS)
    if request.get("EnableManagedSpotTraining") and stopping.get("MaxWaitTimeInSeconds", 0) < runtime:
        raise validation(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    local = request.get("CheckpointConfig", {}).get("LocalPath", "/opt/ml/checkpoints")
    if not local.startswith("/opt/ml/"):
        raise validation(f"CheckpointConfig.LocalPath is {local!r}; localaws emulates paths below /opt/ml/ only.")
    addresses = [request["OutputDataConfig"]["S3OutputPath"]]
    addresses += [request["CheckpointConfig"]["S3Uri"]] if "CheckpointConfig" in request else []
    for address in addresses:
        if not s3.bucket_exists(s3.split(address)[0]):
            raise validation(f"S3 bucket does not exist: {address}. Please create it in region {call.region}.")
    channels.check(request, call.region)


def _record(call: Call) -> dict[str, Any]:
    request, now = {key: value for key, value in call.request.items() if key != "Tags"}, call.cloud.clock.now()
    output = {"CompressionType": "GZIP", "KmsKeyId": "", **request["OutputDataConfig"]}
    name, compressed = request["TrainingJobName"], output["CompressionType"] == "GZIP"
    artifact = s3.join(output["S3OutputPath"], name, "output", "model.tar.gz" if compressed else "model/")
    runtime = {"MaxRuntimeInSeconds": MAX_RUNTIME_SECONDS}
    inputs = [
        {"CompressionType": "None", "RecordWrapperType": "None", **item} for item in request.get("InputDataConfig", [])
    ]
    return {
        **dict.fromkeys(SWITCHES, False),
        **request,
        **({"InputDataConfig": inputs} if inputs else {}),
        "AlgorithmSpecification": {"EnableSageMakerMetricsTimeSeries": False, **request["AlgorithmSpecification"]},
        "OutputDataConfig": output,
        "StoppingCondition": {**runtime, **request.get("StoppingCondition", {})},
        "TrainingJobArn": sagemaker_arn(call, "training-job", name),
        "TrainingJobStatus": "InProgress",
        "ModelArtifacts": {"S3ModelArtifacts": artifact},
        "CreationTime": now,
        "LastModifiedTime": now,
    }


def _job(call: Call) -> TrainingJob:
    jobs = store(call).jobs
    if call.request["TrainingJobName"] not in jobs:
        raise validation("Requested resource not found.")
    return jobs[call.request["TrainingJobName"]]


def describe_training_job(call: Call) -> Mapping[str, Any]:
    return _job(call).record


def list_training_jobs(call: Call) -> Mapping[str, Any]:
    records = [job.record for job in list(store(call).jobs.values())]
    shown, token = listing(call.request, records, "TrainingJobName", "TrainingJobStatus")
    return {"TrainingJobSummaries": shown, "NextToken": token}


def stop_training_job(call: Call) -> None:
    job = _job(call)
    with store(call).lock:
        status = job.record["TrainingJobStatus"]
        if status in TERMINAL:
            raise validation(f"The request was rejected because the training job is in status {status}.")
        if status != "Stopping":
            job.run.stop()


def delete_training_job(call: Call) -> None:
    """only in a terminal state, as in AWS"""
    job, records = _job(call), store(call)
    status = job.record["TrainingJobStatus"]
    if status not in TERMINAL:
        raise validation(f"The request was rejected because the training job is in status {status}.")
    with records.lock:
        records.jobs.pop(job.record["TrainingJobName"], None)
        records.tags.pop(job.record["TrainingJobArn"], None)


def update_training_job(call: Call) -> Mapping[str, Any]:
    """profiler, remote debug and keep-alive: stored only"""
    record, request = _job(call).record, call.request
    for name in ("ProfilerConfig", "ProfilerRuleConfigurations", "RemoteDebugConfig"):
        if name in request:
            record[name] = request[name]
    if "ResourceConfig" in request:
        record["ResourceConfig"] = {**record["ResourceConfig"], **request["ResourceConfig"]}
    record["LastModifiedTime"] = call.cloud.clock.now()
    return record


OPERATIONS: dict[str, Handler] = {
    "CreateTrainingJob": create_training_job,
    "DeleteTrainingJob": delete_training_job,
    "DescribeTrainingJob": describe_training_job,
    "ListTrainingJobs": list_training_jobs,
    "StopTrainingJob": stop_training_job,
    "UpdateTrainingJob": update_training_job,
}
