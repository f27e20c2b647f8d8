"""The transform jobs' API; what is refused is checks.py, the job itself run.py."""

import threading
from collections.abc import Mapping
from typing import Any

from localaws import quotas
from localaws.cloud import Call, Handler
from localaws.errors import validation
from localaws.sagemaker import usage
from localaws.sagemaker.listing import listing
from localaws.sagemaker.state import TransformJob, find, in_use, keep_tags, sagemaker_arn, store
from localaws.sagemaker.transform import checks
from localaws.sagemaker.transform.run import TERMINAL, TransformRun

NAME_TAKEN = (
    "Transform job names must be unique within an AWS account and region, and a transform job with this name already "
    "exists ({arn})"
)
DATA_PROCESSING = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}


def create_transform_job(call: Call) -> Mapping[str, Any]:
    """runs the model's server over S3 objects, a process per instance; no data capture, no pipelines"""
    request, records = call.request, store(call)
    name = request["TransformJobName"]
    model: Mapping[str, Any] = find(records.models, call, request["ModelName"], "model", "model")
    checks.check(call, model)
    where = sagemaker_arn(call, "transform-job", name)
    with records.lock:
        if name in records.transforms:
            raise in_use(NAME_TAKEN.format(arn=where))
        quotas.check(call.cloud, records, usage.transform(request))
        record = {**_record(request, call.cloud.clock.now()), "TransformJobArn": where}
        job = TransformJob(record=record, run=TransformRun(call.cloud, call.region, record, model))
        records.transforms[name] = job
        keep_tags(call, where)
    threading.Thread(target=job.run.run, name=f"transform-{name}", daemon=True).start()
    return record


def _record(request: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {
        **{key: value for key, value in request.items() if key != "Tags"},
        "TransformInput": {"CompressionType": "None", "SplitType": "None", **request["TransformInput"]},
        "TransformOutput": {"AssembleWith": "None", "KmsKeyId": "", **request["TransformOutput"]},
        "DataProcessing": {**DATA_PROCESSING, **request.get("DataProcessing", {})},
        "TransformJobStatus": "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
    }


def _job(call: Call) -> TransformJob:
    name, jobs = call.request["TransformJobName"], store(call).transforms
    if name not in jobs:
        raise validation(f"Could not find requested job with name: {name}")
    return jobs[name]


def describe_transform_job(call: Call) -> Mapping[str, Any]:
    return _job(call).record


def list_transform_jobs(call: Call) -> Mapping[str, Any]:
    records = [job.record for job in list(store(call).transforms.values())]
    shown, token = listing(call.request, records, "TransformJobName", "TransformJobStatus")
    return {"TransformJobSummaries": shown, "NextToken": token}


def stop_transform_job(call: Call) -> None:
    """nothing of a stopped job's output is stored, as in AWS"""
    job = _job(call)
    with store(call).lock:
        status = job.record["TransformJobStatus"]
        if status in TERMINAL:
            raise validation(f"The request was rejected because the transform job is in status {status}.")
        if status != "Stopping":
            job.run.stop()


OPERATIONS: dict[str, Handler] = {
    "CreateTransformJob": create_transform_job,
    "DescribeTransformJob": describe_transform_job,
    "ListTransformJobs": list_transform_jobs,
    "StopTransformJob": stop_transform_job,
}
