"""The training jobs' API; the job itself is job.py, what is refused training_checks.py."""

import threading
from collections.abc import Mapping
from typing import Any

from localaws import quotas, s3
from localaws.cloud import Call, Cloud, Handler, arn
from localaws.errors import validation
from localaws.iam.platform import Actor
from localaws.sagemaker import permissions, usage
from localaws.sagemaker.job import TERMINAL, TrainingRun
from localaws.sagemaker.listing import listing
from localaws.sagemaker.metrics import Observer
from localaws.sagemaker.state import SageMaker, TrainingJob, in_use, store
from localaws.sagemaker.training_checks import MAX_RUNTIME_SECONDS, check
from localaws.sagemaker.warm_pool import WarmPool, claim

SWITCHES = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")
NAME_TAKEN = (
    "Training job names must be unique within an AWS account and region, and a training job with this name already "
    "exists ({arn})"
)
DEBUGGABLE = ("Downloading", "Training")


def create_training_job(call: Call) -> Mapping[str, Any]:
    """runs the image, a process per instance; spot interruptions on demand or at a rate; retries are stored only"""
    request = {key: value for key, value in call.request.items() if key != "Tags"}
    tags = {tag["Key"]: tag["Value"] for tag in call.request.get("Tags", [])}
    check(request, call.region)
    permissions.check_training(Actor(cloud=call.cloud, role=request["RoleArn"], region=call.region), request)
    return launch(call.cloud, call.region, store(call), request, tags).record


def launch(
    cloud: Cloud,
    region: str,
    records: SageMaker,
    request: Mapping[str, Any],
    tags: Mapping[str, str],
    observe: Observer | None = None,
    **more: Any,
) -> TrainingJob:
    """Start a job from a checked request; `observe` gets its metrics, `more` are members of its record.

    Raises ResourceInUse for a name that is taken, ResourceLimitExceeded above a quota.
    """
    name, now = request["TrainingJobName"], cloud.clock.now()
    where = arn("sagemaker", region, f"training-job/{name.lower()}")
    with records.lock:
        if name in records.jobs:
            raise in_use(NAME_TAKEN.format(arn=where))
        quotas.check(cloud, records, usage.training(request))
        record = {**_record(request, now), "TrainingJobArn": where, **more}
        job = TrainingJob(record=record, run=TrainingRun(cloud, region, record, observe), pool=WarmPool(record=record))
        job.run.kept_until = job.pool.kept_until
        claim([other.pool for other in records.jobs.values()], record, now)
        records.jobs[name] = job
        records.tags[where] = dict(tags)
    threading.Thread(target=job.run.run, name=f"job-{name}", daemon=True).start()
    return job


def _record(request: Mapping[str, Any], now: float) -> dict[str, Any]:
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


def _described(call: Call, job: TrainingJob) -> Mapping[str, Any]:
    return {**job.record, "WarmPoolStatus": job.pool.status(call.cloud.clock.now())}


def describe_training_job(call: Call) -> Mapping[str, Any]:
    return _described(call, _job(call))


def list_training_jobs(call: Call) -> Mapping[str, Any]:
    records = [_described(call, job) for job in list(store(call).jobs.values())]
    wanted = call.request.get("WarmPoolStatusEquals")
    if wanted:
        records = [record for record in records if (record["WarmPoolStatus"] or {}).get("Status") == wanted]
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
    """only in a terminal state and without an Available warm pool, as in AWS"""
    job, records = _job(call), store(call)
    status = job.record["TrainingJobStatus"]
    if status not in TERMINAL:
        raise validation(f"The request was rejected because the training job is in status {status}.")
    if job.pool.is_available(call.cloud.clock.now()):
        raise in_use(
            f"The request was rejected because training job {job.record['TrainingJobName']} retains an Available warm "
            "pool. Set KeepAlivePeriodInSeconds to 0 by UpdateTrainingJob, or wait until the pool is terminated."
        )
    with records.lock:
        records.jobs.pop(job.record["TrainingJobName"], None)
        records.tags.pop(job.record["TrainingJobArn"], None)


def update_training_job(call: Call) -> Mapping[str, Any]:
    """the keep-alive period acts; profiler and remote debug are stored only"""
    job, request, now = _job(call), call.request, call.cloud.clock.now()
    record = job.record
    with store(call).lock:
        if "RemoteDebugConfig" in request and record["SecondaryStatus"] not in DEBUGGABLE:
            raise validation(
                f"RemoteDebugConfig can be updated when SecondaryStatus is {' or '.join(DEBUGGABLE)}; it is "
                f"{record['SecondaryStatus']}."
            )
        if "KeepAlivePeriodInSeconds" in request.get("ResourceConfig", {}):
            job.pool.update(request["ResourceConfig"]["KeepAlivePeriodInSeconds"], now)
        for name in ("ProfilerConfig", "ProfilerRuleConfigurations", "RemoteDebugConfig"):
            if name in request:
                record[name] = request[name]
        record["LastModifiedTime"] = now
    return record


OPERATIONS: dict[str, Handler] = {
    "CreateTrainingJob": create_training_job,
    "DeleteTrainingJob": delete_training_job,
    "DescribeTrainingJob": describe_training_job,
    "ListTrainingJobs": list_training_jobs,
    "StopTrainingJob": stop_training_job,
    "UpdateTrainingJob": update_training_job,
}
