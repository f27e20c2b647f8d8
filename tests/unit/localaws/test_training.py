"""Training jobs: the /opt/ml contract, statuses, artifacts, stops and failures, by scripts of a few lines."""

import io
import json
import tarfile

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, wait_for

TRAIN = """#!/usr/bin/env python3
import json, os, pathlib, sys
ml = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
settings = json.loads((ml / "input/config/hyperparameters.json").read_text())
resources = json.loads((ml / "input/config/resourceconfig.json").read_text())
files = [p for p in (ml / "input/data").rglob("*") if p.is_file()]
data = {p.relative_to(ml / "input/data").as_posix(): p.read_text() for p in files}
host = resources["current_host"]
(ml / f"model/{host}.json").write_text(json.dumps({"data": data, "settings": settings, "argv": sys.argv[1:],
    "resources": resources, "job": os.environ["TRAINING_JOB_NAME"], "home": os.environ.get("LOCALAWS_SECRET", "")}))
(ml / f"output/data/{host}.txt").write_text("plot")
print("accuracy: 0.5;")
print("accuracy: 0.75;")
"""

WAITING = """#!/usr/bin/env python3
import pathlib, os, signal, sys, threading
ml = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
def stop(*_):
    (ml / "model/stopped").write_text("gently")
    os._exit(0)
if os.environ.get("STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, stop)
(ml / "model/early").write_text("kept")
(ml / "checkpoints/epoch-1").write_text("one")
print("waiting", flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def trainer(aws: Aws) -> str:
    return aws.image({"train": TRAIN})


@pytest.fixture(scope="module")
def waiter(aws: Aws) -> str:
    return aws.image({"train": WAITING})


def unpack(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {item.name: tar.extractfile(item).read() for item in tar.getmembers()}  # type: ignore[union-attr]


def channel(name: str, uri: str, **extra: str) -> dict[str, object]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated", **extra}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def test_the_whole_way(aws: Aws, trainer: str) -> None:
    aws.put("data/a.csv", "1")
    aws.put("data/deep/b.csv", "2")
    name = aws.train(
        trainer,
        HyperParameters={"lr": "0.1"},
        InputDataConfig=[channel("train", f"s3://{aws.bucket}/data/")],
        algorithm={"MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy: ([0-9.]+);"}]},
        Tags=[{"Key": "who", "Value": "me"}],
    )
    job = aws.job_done(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    steps = [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all("EndTime" in step for step in job["SecondaryStatusTransitions"])
    assert job["OutputDataConfig"]["KmsKeyId"] == ""
    assert job["BillableTimeInSeconds"] >= 1
    assert "VpcConfig" not in job
    assert [(item["MetricName"], item["Value"]) for item in job["FinalMetricDataList"]] == [("accuracy", 0.75)]
    model = unpack(aws.read(job["ModelArtifacts"]["S3ModelArtifacts"]))
    seen = json.loads(model["algo-1.json"])
    assert seen["data"] == {"train/a.csv": "1", "train/deep/b.csv": "2"}
    assert (seen["settings"], seen["argv"], seen["job"]) == ({"lr": "0.1"}, [], name)
    assert list(unpack(aws.read(f"s3://{aws.bucket}/out/{name}/output/output.tar.gz"))) == ["algo-1.txt"]
    assert aws.job_log(name) == ["accuracy: 0.5;", "accuracy: 0.75;"]
    tags = aws.client("sagemaker").list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "who", "Value": "me"}]


def test_metrics_reach_cloudwatch(aws: Aws, trainer: str) -> None:
    name = aws.train(trainer, algorithm={"MetricDefinitions": [{"Name": "acc", "Regex": "accuracy: ([0-9.]+);"}]})
    job = aws.job_done(name)
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="acc",
        Dimensions=[{"Name": "TrainingJobName", "Value": name}],
        StartTime=job["CreationTime"],
        EndTime=job["TrainingEndTime"].replace(year=job["TrainingEndTime"].year + 1),
        Period=60 * 60 * 24 * 400,
        Statistics=["Maximum", "SampleCount"],
    )["Datapoints"]
    assert sum(point["SampleCount"] for point in found) == 2
    assert max(point["Maximum"] for point in found) == 0.75


FAILING = """#!/bin/sh
root=${SAGEMAKER_BASE_DIR:-/opt/ml}
printf "bad data\\nline two" > $root/output/failure
echo x > $root/model/m
exit 7
"""


def test_a_failure_gives_its_reason(aws: Aws) -> None:
    image = aws.image({"train": FAILING})
    job = aws.job_done(aws.train(image))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: bad data\nline two, exit code: 7"
    with pytest.raises(ClientError, match=r"NoSuchKey"):
        aws.read(job["ModelArtifacts"]["S3ModelArtifacts"])


def test_an_entrypoint_replaces_the_images(aws: Aws) -> None:
    script = aws.put("own-script/train.py", TRAIN.replace("accuracy: 0.5;", "own script"))
    name = aws.train(
        "public.ecr.aws/deep-learning-containers/pytorch:2.13",
        algorithm={"ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/train.py"]},
        InputDataConfig=[channel("code", script.rsplit("/", 1)[0] + "/")],
    )
    job = aws.job_done(name)
    assert job["TrainingJobStatus"] == "Completed", (job["FailureReason"], aws.job_log(name))
    assert aws.job_log(name)[0] == "own script"


def test_a_foreign_image_has_no_train(aws: Aws) -> None:
    job = aws.job_done(aws.train("public.ecr.aws/deep-learning-containers/pytorch:2.13"))
    assert "CannotStartContainerError" in job["FailureReason"]
    assert '"train": executable file not found in $PATH' in job["FailureReason"]


def test_a_missing_tag_cannot_be_pulled(aws: Aws, trainer: str) -> None:
    job = aws.job_done(aws.train(trainer.replace(":v1", ":v2")))
    assert job["FailureReason"].startswith("ClientError: Cannot pull algorithm container.")


def test_a_stop_reaches_the_program_and_uploads(aws: Aws, waiter: str) -> None:
    checkpoints = f"s3://{aws.bucket}/checkpoints/one"
    name = aws.train(waiter, CheckpointConfig={"S3Uri": checkpoints})
    wait_for(
        lambda: "waiting" in (aws.job_log(name) if aws.job(name)["SecondaryStatus"] == "Training" else []), "start"
    )
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    job = aws.job_done(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert sorted(unpack(aws.read(job["ModelArtifacts"]["S3ModelArtifacts"]))) == ["early", "stopped"]
    assert aws.read(f"{checkpoints}/epoch-1") == b"one"
    with pytest.raises(ClientError, match=r"training job is in status Stopped"):
        aws.client("sagemaker").stop_training_job(TrainingJobName=name)


def test_refusals_in_awss_words(aws: Aws, trainer: str) -> None:
    name = aws.train(trainer)
    with pytest.raises(ClientError, match=r"ResourceInUse.*already exists"):
        aws.train(trainer, TrainingJobName=name)
    with pytest.raises(ClientError, match=r"ValidationException.*Requested resource not found"):
        aws.job("no-such-job")
    with pytest.raises(ClientError, match=r"Could not assume role .* allows principal 'sagemaker.amazonaws.com'"):
        aws.train(trainer, RoleArn="arn:aws:iam::123456789012:role/nobody")
    with pytest.raises(ClientError, match=r"No S3 objects found under S3 URL"):
        aws.train(trainer, InputDataConfig=[channel("train", f"s3://{aws.bucket}/nothing/")])
    with pytest.raises(ClientError, match=r"Cannot find repository: nothing in registry ID"):
        aws.train(trainer.split("/")[0] + "/nothing:v1")
    with pytest.raises(ClientError, match=r"1 validation error detected: Value 'a_b' at 'trainingJobName'"):
        aws.job("a_b")


def test_listing_and_deletion(aws: Aws, trainer: str) -> None:
    names = [aws.train(trainer) for _ in range(3)]
    for name in names:
        aws.job_done(name)
    sagemaker = aws.client("sagemaker")
    page = sagemaker.list_training_jobs(MaxResults=2, StatusEquals="Completed")
    assert [item["TrainingJobName"] for item in page["TrainingJobSummaries"]] == names[:0:-1]
    following = sagemaker.list_training_jobs(MaxResults=1, StatusEquals="Completed", NextToken=page["NextToken"])
    assert following["TrainingJobSummaries"][0]["TrainingJobName"] == names[0]
    sagemaker.delete_training_job(TrainingJobName=names[0])
    with pytest.raises(ClientError, match=r"Requested resource not found"):
        aws.job(names[0])


def test_a_resumed_run_finds_its_checkpoints(aws: Aws, waiter: str) -> None:
    aws.put("resume/epoch-0", "zero")
    script = "#!/bin/sh\nroot=${SAGEMAKER_BASE_DIR:-/opt/ml}\ncd $root/checkpoints; cat epoch-0; mv epoch-0 epoch-1\n"
    name = aws.train(aws.image({"train": script}), CheckpointConfig={"S3Uri": f"s3://{aws.bucket}/resume"})
    assert aws.job_done(name)["TrainingJobStatus"] == "Completed"
    assert aws.job_log(name) == ["zero"]
    listed = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix="resume/")["Contents"]
    assert [item["Key"] for item in listed] == ["resume/epoch-1"]


def test_a_manifest_and_a_read_only_channel(aws: Aws, trainer: str) -> None:
    aws.put("parts/a", "A")
    aws.put("parts/b", "B")
    manifest = aws.put("manifest", json.dumps([{"prefix": f"s3://{aws.bucket}/parts/"}, "b"]))
    channels = [
        channel("some", manifest, S3DataType="ManifestFile"),
        {**channel("fast", f"s3://{aws.bucket}/parts/"), "InputMode": "FastFile"},
    ]
    job = aws.job_done(aws.train(trainer, InputDataConfig=channels))
    seen = json.loads(unpack(aws.read(job["ModelArtifacts"]["S3ModelArtifacts"]))["algo-1.json"])
    assert seen["data"] == {"some/b": "B", "fast/a": "A", "fast/b": "B"}


def test_uncompressed_output_is_plain_files(aws: Aws, trainer: str) -> None:
    output = {"S3OutputPath": f"s3://{aws.bucket}/plain", "CompressionType": "NONE"}
    job = aws.job_done(aws.train(trainer, OutputDataConfig=output))
    where = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert where == f"s3://{aws.bucket}/plain/{job['TrainingJobName']}/output/model/"
    assert json.loads(aws.read(where + "algo-1.json"))["job"] == job["TrainingJobName"]
