"""Runs to test with: jobs of moto, outputs in its S3, and documents as `train` writes them."""

import base64
import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from slipway.project import Stack

REGION = "eu-west-1"
BUCKET = "slipway-dev-data-0123abc"
OLD, NEW = "slipway-dev-0123456789ab-0123abc", "slipway-dev-ba9876543210-0123abc"
STACK = Stack(root=Path(), project="slipway", name="dev", region=REGION, environment={})
RUN_LOGS = "/aws/sagemaker/TrainingJobs"
HISTORY = [
    {"step": 10, "epoch": 1, "loss": 2.0, "learning_rate": 0.01},
    {"step": 10, "epoch": 1, "validation_loss": 1.5, "validation_accuracy": 0.5},
    {"step": 20, "epoch": 2, "loss": 1.0, "learning_rate": 0.001},
    {"step": 20, "epoch": 2, "validation_loss": 1.25, "validation_accuracy": 0.75},
]


@contextmanager
def account() -> Iterator[None]:
    """An AWS with two jobs of STACK, the second one spot; the tests write their outputs. Made once a module."""
    with mock_aws():
        where = {"LocationConstraint": REGION}
        boto3.client("s3", REGION).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        create_job(OLD)
        create_job(NEW, EnableManagedSpotTraining=True)
        yield


def forget() -> None:
    """Remove the outputs and logs of the test before."""
    s3, logs = boto3.client("s3", REGION), boto3.client("logs", REGION)
    for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    for group in logs.describe_log_groups()["logGroups"]:
        logs.delete_log_group(logGroupName=group["logGroupName"])


def document(correct: Sequence[bool], **changes: Any) -> dict[str, Any]:
    """metrics.json of a classification whose test examples were called right or not, in this order."""
    count, right = len(correct), sum(correct)
    packed = int("".join("01"[one] for one in correct).ljust(-(-count // 8) * 8, "0"), 2)
    bits = packed.to_bytes(-(-count // 8))
    found = {
        "format": 2,
        "task": "image-classification",
        "examples": count,
        "test_accuracy": right / count,
        "test_accuracy_low": right / count - 0.1,
        "test_accuracy_high": right / count + 0.1,
        "test_loss": 1 - right / count,
        "test_loss_low": 0.9 - right / count,
        "test_loss_high": 1.1 - right / count,
        "history": HISTORY,
        "settings": {"epochs": 2, "width": 8},
        "seconds": {"train": 1.5},
        "test_examples": {"sha256": "same", "correct": base64.b64encode(bits).decode()},
    }
    return found | changes


def create_job(name: str, **changes: Any) -> None:
    job: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": f"image:{name[-15]}"},
        "RoleArn": "arn:aws:iam::123456789012:role/train",
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/runs"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    boto3.client("sagemaker", REGION).create_training_job(**job | changes)


def put_output(run: str, files: Mapping[str, str | bytes]) -> None:
    """The run's output.tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in files.items():
            content = body.encode() if isinstance(body, str) else body
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    s3 = boto3.client("s3", REGION)
    s3.put_object(Bucket=BUCKET, Key=f"runs/{run}/output/output.tar.gz", Body=buffer.getvalue())


def put_metrics(run: str, found: Mapping[str, Any], **files: bytes) -> None:
    put_output(run, {"metrics.json": json.dumps(found), **files})


def put_log(run: str, lines: Sequence[str]) -> None:
    logs = boto3.client("logs", REGION)
    names = {"logGroupName": RUN_LOGS, "logStreamName": f"{run}/algo-1-1700000000"}
    logs.create_log_group(logGroupName=names["logGroupName"])
    logs.create_log_stream(**names)
    now = round(time.time() * 1000)  # CloudWatch takes no events of long ago
    logs.put_log_events(**names, logEvents=[{"timestamp": now + at, "message": one} for at, one in enumerate(lines)])
