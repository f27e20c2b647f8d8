"""Input channels: which S3 objects each host of a job gets, and where they lie below /opt/ml/input/data."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from localaws import s3
from localaws.errors import validation
from localaws.sagemaker import cluster

EMULATED_MODES = ("File", "FastFile")
EMULATED_TYPES = ("S3Prefix", "ManifestFile")


def mode(job: Mapping[str, Any], channel: Mapping[str, Any]) -> str:
    found: str = channel.get("InputMode") or job["AlgorithmSpecification"]["TrainingInputMode"]
    return found


def check(job: Mapping[str, Any], region: str) -> None:
    """Refuse a job whose data does not exist or comes in a way that is not emulated."""
    names = [channel["ChannelName"] for channel in job.get("InputDataConfig", [])]
    if len(set(names)) < len(names):
        raise validation(f"Channel names must be unique within a training job; given: {', '.join(names)}.")
    for channel in job.get("InputDataConfig", []):
        name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
        if mode(job, channel) not in EMULATED_MODES:
            raise validation(
                f"Channel {name}: input mode {mode(job, channel)} is not emulated; use {', '.join(EMULATED_MODES)}."
            )
        if source is None or source["S3DataType"] not in EMULATED_TYPES:
            kind = source["S3DataType"] if source else "FileSystemDataSource"
            raise validation(f"Channel {name}: {kind} is not emulated; use S3 with {', '.join(EMULATED_TYPES)}.")
        if mode(job, channel) == "FastFile" and source["S3DataType"] != "S3Prefix":
            raise validation(f"Channel {name}: FastFile supports S3DataType S3Prefix only, not {source['S3DataType']}.")
        if not _address_exists(source, folder=mode(job, channel) == "FastFile"):
            raise validation(missing(source["S3Uri"], region, job["RoleArn"]))


def _address_exists(source: Mapping[str, Any], *, folder: bool) -> bool:
    """A FastFile channel mounts a whole folder: `data/tra` does not stand for `data/train.csv` there."""
    uri = source["S3Uri"]
    if source["S3DataType"] == "ManifestFile":
        return s3.exists(uri)
    return bool(s3.keys(*s3.split(uri.rstrip("/") + "/" if folder else uri)))


def missing(uri: str, region: str, role: str) -> str:
    bucket = s3.split(uri)[0]
    return (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
        f'in the selected region ({region}), that objects exist under that S3 prefix, and that the role "{role}" has '
        f'"s3:ListBucket" permissions on bucket "{bucket}".'
    )


def objects(source: Mapping[str, Any], *, folder: bool = False) -> list[tuple[str, str, str]]:
    """(bucket, key, path below the channel) of every object of a source, in key order.

    `folder` takes a prefix for a folder even without its last slash, as FastFile does.
    Raises ValueError for a manifest of the wrong form.
    """
    bucket, key = s3.split(source["S3Uri"])
    if source["S3DataType"] == "S3Prefix":
        key = key.rstrip("/") + "/" if folder and key else key
        found = [name for name in s3.keys(bucket, key) if not name.endswith("/")]
        return [(bucket, name, _relative(name, key)) for name in found]
    first, *names = json.loads(s3.read(bucket, key))
    if not isinstance(first, dict) or "prefix" not in first:
        raise ValueError(f'the manifest {source["S3Uri"]} must begin with {{"prefix": "s3://..."}}')
    bucket, prefix = s3.split(first["prefix"])
    return [(bucket, prefix + name, name) for name in names]


def _relative(key: str, prefix: str) -> str:
    """A prefix that ends within a name (`data/tra`) keeps that whole name (`train.csv`)."""
    rest = key[len(prefix) :]
    if prefix.endswith("/") or rest.startswith("/"):
        return rest.lstrip("/")
    return key[prefix.rfind("/") + 1 :]


def download(job: Mapping[str, Any], roots: Sequence[Path]) -> None:
    """Copy every channel to every host's folder, sharded or replicated. Raises FileNotFoundError, ValueError."""
    for channel in job.get("InputDataConfig", []):
        source = channel["DataSource"]["S3DataSource"]
        found = objects(source, folder=mode(job, channel) == "FastFile")
        sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
        for number, root in enumerate(roots):
            folder = root / "input" / "data" / channel["ChannelName"]
            folder.mkdir(parents=True)
            for bucket, key, name in found[number :: len(roots)] if sharded else found:
                if ".." in PurePosixPath(name).parts:
                    raise ValueError(f"s3://{bucket}/{key} would be written outside of its channel")
                s3.download(bucket, key, folder / name.lstrip("/"))


def write_config(job: Mapping[str, Any], root: Path, host: str, hosts: Sequence[str]) -> None:
    """The three files of /opt/ml/input/config, as the platform writes them."""
    resources = job["ResourceConfig"]
    kind = resources.get("InstanceType", "")
    group = {"instance_group_name": "homogeneousCluster", "instance_type": kind, "hosts": list(hosts)}
    files: dict[str, Any] = {
        "hyperparameters.json": job.get("HyperParameters", {}),
        "inputdataconfig.json": {item["ChannelName"]: _describe(job, item) for item in job.get("InputDataConfig", [])},
        "resourceconfig.json": {
            "current_host": host,
            "current_instance_type": kind,
            "current_group_name": "homogeneousCluster",
            "hosts": sorted(hosts),
            "instance_groups": [group],
            "network_interface_name": cluster.interface(),
        },
    }
    folder = root / "input" / "config"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))


def _describe(job: Mapping[str, Any], channel: Mapping[str, Any]) -> dict[str, str]:
    found = {
        "TrainingInputMode": mode(job, channel),
        "S3DistributionType": channel["DataSource"]["S3DataSource"].get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return found | ({"ContentType": channel["ContentType"]} if "ContentType" in channel else {})
