"""Transform jobs: a server starts for them, their objects go through it, their outputs lie in S3, nothing is left."""

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, alive, running, unique, wait_for
from tests.unit.localaws.batch import (
    BATCH_SERVER,
    data_log,
    described,
    done,
    inputs,
    model,
    outputs,
    server_log,
    server_pids,
    transform,
)

LINES: dict[str, Any] = {"given": {"SplitType": "Line"}, "output": {"AssembleWith": "Line"}}


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"serve": BATCH_SERVER})


@pytest.fixture(scope="module")
def upper(aws: Aws, image: str) -> str:
    return model(aws, image, OWN="model", OWN_TOO="model")


def csv(split: str = "Line", assemble: str = "Line", accept: str = "text/csv", **processing: str) -> dict[str, Any]:
    return {
        "given": {"ContentType": "text/csv", "SplitType": split},
        "output": {"Accept": accept, "AssembleWith": assemble},
        "DataProcessing": processing,
    }


# What comes out


def test_every_object_gets_an_output_with_its_records_in_order(aws: Aws, upper: str) -> None:
    rows = [f"row{number}" for number in range(40)]
    uri = inputs(aws, {"a.csv": "\n".join(rows) + "\n", "deep/b.csv": "x\ny", "empty.csv": ""})
    name = transform(aws, upper, uri, BatchStrategy="SingleRecord", MaxConcurrentTransforms=4, **LINES)
    assert described(aws, name)["TransformJobStatus"] == "InProgress"
    aws.client("sagemaker").get_waiter("transform_job_completed_or_stopped").wait(
        TransformJobName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 200}
    )
    expected = "".join(f"{row.upper()}\n" for row in rows).encode()
    assert outputs(aws, name) == {"a.csv.out": expected, "deep/b.csv.out": b"X\nY\n", "empty.csv.out": b""}
    job = described(aws, name)
    assert job["TransformJobStatus"] == "Completed"
    assert job["CreationTime"] <= job["TransformStartTime"] <= job["TransformEndTime"]
    assert (job["TransformInput"]["CompressionType"], job["TransformOutput"]["AssembleWith"]) == ("None", "Line")
    assert job["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    assert not any(alive(pid) for pid in server_pids(aws, name))


def test_the_server_sees_a_batch_container(aws: Aws, upper: str) -> None:
    given = {"MaxPayloadInMB": 2, "BatchStrategy": "MultiRecord", "MaxConcurrentTransforms": 3}
    name = transform(aws, upper, inputs(aws, {"a": "1"}), Environment={"OWN": "job"}, **given, **LINES)
    done(aws, name)
    log = server_log(aws, name)
    found = json.loads(log[0].removeprefix("env "))
    expected = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "2",
        "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
        "OWN": "job",
        "OWN_TOO": "model",
    }
    assert {key: found.get(key) for key in expected} == expected
    assert log[1] == "model ['w.bin']"
    assert data_log(aws, name) == ["MaxConcurrentTransforms=3, MaxPayloadInMB=2, BatchStrategy=MULTI_RECORD"]


def test_a_whole_object_is_one_request_with_the_jobs_types(aws: Aws, upper: str) -> None:
    types: dict[str, Any] = {"given": {"ContentType": "text/plain"}, "output": {"Accept": "text/html"}}
    name = transform(aws, upper, inputs(aws, {"a": "x\ny\n"}), **types)
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    assert outputs(aws, name) == {"a.out": b"X\nY"}
    assert server_log(aws, name)[-1] == "got 4 text/plain text/html None ['x', 'y']"
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB" not in server_log(aws, name)[0]  # only what the request says is passed on


def test_a_request_has_as_many_lines_as_fit_into_the_payload(aws: Aws, upper: str) -> None:
    line = "x" * (400 * 1024) + "\n"
    name = transform(aws, upper, inputs(aws, {"a": line * 5}), MaxPayloadInMB=1, BatchStrategy="MultiRecord", **LINES)
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    lengths = [int(entry.split()[1]) for entry in server_log(aws, name) if entry.startswith("got")]
    assert lengths == [2 * len(line), 2 * len(line), len(line)]
    assert outputs(aws, name)["a.out"] == (line * 5).upper().encode()


def test_without_a_payload_limit_the_body_is_chunked(aws: Aws, upper: str) -> None:
    name = transform(aws, upper, inputs(aws, {"a": "x" * 2_000_000}), MaxPayloadInMB=0)
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    assert server_log(aws, name)[-1].startswith("got 2000000 None None chunked")


def test_compressed_objects_are_unpacked(aws: Aws, upper: str) -> None:
    given = {"CompressionType": "Gzip", "SplitType": "Line"}
    name = transform(aws, upper, inputs(aws, {"a.csv.gz": gzip.compress(b"x\n")}), given=given)
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    assert outputs(aws, name) == {"a.csv.gz.out": b"X"}


def test_a_manifest_names_the_objects(aws: Aws, upper: str) -> None:
    prefix = inputs(aws, {"one/a": "a", "two/b": "b", "c": "c"})
    manifest = aws.put(unique("manifest"), json.dumps([{"prefix": prefix}, "one/a", "two/b"]))
    name = transform(aws, upper, manifest, S3DataType="ManifestFile")
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    assert outputs(aws, name) == {"one/a.out": b"A", "two/b.out": b"B"}


def test_requests_run_at_a_time_as_often_as_the_job_allows(aws: Aws, upper: str) -> None:
    uri = inputs(aws, {"a": "meet\nmeet"})
    name = transform(aws, upper, uri, BatchStrategy="SingleRecord", MaxConcurrentTransforms=2, **LINES)
    assert done(aws, name)["TransformJobStatus"] == "Completed"


def test_the_server_may_choose_what_the_request_leaves_open(aws: Aws, image: str) -> None:
    wishes = {"MaxConcurrentTransforms": 2, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 9, "Other": [1]}
    own = model(aws, image, WISHES=json.dumps(wishes))
    name = transform(aws, own, inputs(aws, {"a": "x\ny"}), MaxPayloadInMB=3, **LINES)
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    assert data_log(aws, name) == ["MaxConcurrentTransforms=2, MaxPayloadInMB=3, BatchStrategy=SINGLE_RECORD"]
    assert len([line for line in server_log(aws, name) if line.startswith("got 1")]) == 2


def test_objects_are_dealt_out_to_the_instances(aws: Aws, image: str) -> None:
    own = model(aws, image, ANSWER="pid")
    name = transform(aws, own, inputs(aws, {"a": "1", "b": "1", "c": "1"}), resources={"InstanceCount": 2})
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    found = {key: int(value) for key, value in outputs(aws, name).items()}
    assert found["a.out"] == found["c.out"] != found["b.out"]
    assert set(found.values()) == set(server_pids(aws, name))
    assert not any(alive(pid) for pid in found.values())


def test_columns_are_filtered_and_joined(aws: Aws, image: str) -> None:
    own = model(aws, image, ANSWER="columns")
    wanted = csv(InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    name = transform(aws, own, inputs(aws, {"a.csv": "id1,5,6,7\nid2,8,9,0\n"}), **wanted)
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    assert outputs(aws, name) == {"a.csv.out": b"id1,3\nid2,3\n"}


def test_lines_of_json_are_filtered_and_joined(aws: Aws, image: str) -> None:
    own = model(aws, image, ANSWER="json")
    wanted: dict[str, Any] = {
        "given": {"ContentType": "application/jsonlines", "SplitType": "Line"},
        "output": {"Accept": "application/jsonlines", "AssembleWith": "Line"},
        "DataProcessing": {"InputFilter": "$.x", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"},
    }
    name = transform(aws, own, inputs(aws, {"a": '{"id": 1, "x": [2]}\n{"id": 3, "x": [4]}\n'}), **wanted)
    assert done(aws, name)["TransformJobStatus"] == "Completed"
    expected = b'{"id":1,"SageMakerOutput":{"got":[2]}}\n{"id":3,"SageMakerOutput":{"got":[4]}}\n'
    assert outputs(aws, name) == {"a.out": expected}


# What fails


def test_a_bad_record_fails_the_job_and_the_other_objects_are_stored(aws: Aws, upper: str) -> None:
    uri = inputs(aws, {"a": "x\n400\ny", "b": "fine"})
    name = transform(aws, upper, uri, BatchStrategy="SingleRecord", **LINES)
    job = done(aws, name)
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == "ClientError: See job logs for more information"
    assert outputs(aws, name) == {"b.out": b"FINE\n"}
    where = uri.removeprefix("s3://") + "a"
    told = [f"{where}: {line}" for line in ("ClientError: 400", "", "Message:", "no good")]
    assert data_log(aws, name)[1:] == told
    assert [line for line in server_log(aws, name) if line.startswith("got") and "400" in line] == [
        "got 3 None None None ['400']"
    ]
    assert not any(alive(pid) for pid in server_pids(aws, name))


def test_a_servers_error_is_tried_again(aws: Aws, upper: str) -> None:
    name = transform(aws, upper, inputs(aws, {"a": "500"}), ModelClientConfig={"InvocationsMaxRetries": 2})
    assert done(aws, name)["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert len([line for line in server_log(aws, name) if line.startswith("got 3")]) == 3
    assert any("Bad HTTP status received from algorithm: 500" in line for line in data_log(aws, name))


@pytest.mark.parametrize("line", ["wait", "gone"])
def test_no_answer_in_time_fails_the_job(aws: Aws, upper: str, line: str) -> None:
    client = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    name = transform(aws, upper, inputs(aws, {"a": line}), ModelClientConfig=client)
    assert done(aws, name)["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert data_log(aws, name)[-1].endswith("Unable to get response from algorithm")


@pytest.mark.parametrize(
    ("content", "wanted", "text"),
    [
        ("x" * (1024 * 1024 + 1), {"MaxPayloadInMB": 1}, "Too much data for max payload size"),
        ("x", {"given": {"CompressionType": "Gzip"}}, "Failed to decompress the input as Gzip"),
        ("x", {"given": {"SplitType": "RecordIO"}}, "Failed to read the input as RecordIO"),
        ("1,2", csv(OutputFilter="$[0:1,2:]"), "only single range filters of format"),
        ("1,2", csv(OutputFilter="$[7]"), "index 7 is outside of a record of 2 columns"),
    ],
)
def test_data_that_do_not_fit_fail_the_job(
    aws: Aws, upper: str, content: str, wanted: dict[str, Any], text: str
) -> None:
    name = transform(aws, upper, inputs(aws, {"a": content}), **wanted)
    assert done(aws, name)["FailureReason"] == "ClientError: See job logs for more information"
    assert text in data_log(aws, name)[-1]
    assert outputs(aws, name) == {}


def test_a_server_that_ends_fails_the_job(aws: Aws) -> None:
    own = model(aws, aws.image({"serve": "#!/bin/sh\necho cannot load; exit 3\n"}))
    name = transform(aws, own, inputs(aws, {"a": "x"}))
    assert "AlgorithmError: Model container failed to respond to ping." in done(aws, name)["FailureReason"]
    assert server_log(aws, name) == ["cannot load"]


def test_an_image_without_a_server_fails_the_job(aws: Aws) -> None:
    own = model(aws, aws.image({"other": "#!/bin/sh\n"}))
    reason = done(aws, transform(aws, own, inputs(aws, {"a": "x"})))["FailureReason"]
    assert "CannotStartContainerError" in reason
    assert "transform job" in reason


# Stopping


def test_a_stopped_job_stores_nothing_and_leaves_no_server(aws: Aws, upper: str) -> None:
    uri = inputs(aws, {"a": "fine", "b": "wait"})
    name = transform(aws, upper, uri, **LINES)
    wait_for(lambda: any("wait" in line for line in server_log(aws, name)), "the request that does not end")
    aws.client("sagemaker").stop_transform_job(TransformJobName=name)
    job = done(aws, name)
    assert (job["TransformJobStatus"], job.get("FailureReason")) == ("Stopped", None)
    assert outputs(aws, name) == {}
    assert not any(alive(pid) for pid in server_pids(aws, name))
    aws.client("sagemaker").get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name)
    with pytest.raises(ClientError, match=r"ValidationException.*is in status Stopped"):
        aws.client("sagemaker").stop_transform_job(TransformJobName=name)


def test_a_job_can_be_stopped_while_its_server_starts(aws: Aws, image: str) -> None:
    name = transform(aws, model(aws, image, PING_STATUS="503"), inputs(aws, {"a": "x"}))
    wait_for(lambda: server_pids(aws, name), "the server")
    aws.client("sagemaker").stop_transform_job(TransformJobName=name)
    assert done(aws, name)["TransformJobStatus"] == "Stopped"
    assert not any(alive(pid) for pid in server_pids(aws, name))


def test_the_start_of_a_job_has_a_limit_by_the_clock_and_a_reset_ends_a_running_one() -> None:
    with running() as (url, _):
        own = Aws(url)
        server = own.image({"serve": BATCH_SERVER})
        uri = inputs(own, {"a": "wait"})
        own.post("/_localaws/clock", {"mode": "stepped"})
        name = transform(own, model(own, server, PING_STATUS="503"), uri)
        wait_for(lambda: server_pids(own, name), "the server")
        own.post("/_localaws/clock", {"advance_seconds": 500})
        job = done(own, name)
        assert "failed to respond to ping" in job["FailureReason"]
        assert (job["TransformEndTime"] - job["TransformStartTime"]).total_seconds() >= 500  # what AWS bills
        name = transform(own, model(own, server), uri)
        wait_for(lambda: any("wait" in line for line in server_log(own, name)), "the request")
        [pid] = server_pids(own, name)
        assert own.get("/_localaws/health")["jobs"] == 1
        own.post("/moto-api/reset", {})
        assert not alive(pid)
        health = own.get("/_localaws/health")
        assert (health["jobs"], health["processes"]) == (0, 0)


# What is refused


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"MaxPayloadInMB": 101}, "MaxPayloadInMB is 101; it cannot be greater than 100"),
        ({"MaxPayloadInMB": 30, "MaxConcurrentTransforms": 4}, r"4 \* MaxPayloadInMB 30 is 120 MB; it cannot exceed"),
        ({"S3DataType": "AugmentedManifestFile"}, "AugmentedManifestFile is not emulated for transform jobs; use S3P"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/c"}}, "DataCaptureConfig of a transform job is not emul"),
        ({"output": {"S3OutputPath": "s3://no-such-bucket-here/x"}}, "S3 bucket does not exist: s3://no-such-bucket-h"),
        ({"output": {"S3OutputPath": "https://b/x"}}, "Invalid S3 address"),
        (csv(split="None", JoinSource="Input"), "needs SplitType Line and AssembleWith Line; they are None and Line"),
        (csv(assemble="None", OutputFilter="$[0]"), "they are Line and None"),
        (
            csv(accept="application/json", JoinSource="Input"),
            "needs one format both ways; ContentType is text/csv, Acc",
        ),
        (
            csv(accept="text/html", JoinSource="Input"),
            "needs a Accept of text/csv, application/json, application/jsonl",
        ),
        ({"DataProcessing": {"InputFilter": "$[1:]"}}, "needs a ContentType of text/csv, .* it is 'not given'"),
    ],
)
def test_what_a_job_cannot_have(aws: Aws, upper: str, wanted: dict[str, Any], text: str) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*{text}"):
        transform(aws, upper, inputs(aws, {"a": "x"}), **wanted)


def test_input_that_does_not_exist_is_refused(aws: Aws, upper: str) -> None:
    with pytest.raises(ClientError, match=r'No S3 objects found under S3 URL "s3://.*/nothing/" given in input data'):
        transform(aws, upper, f"s3://{aws.bucket}/nothing/")
    with pytest.raises(ClientError, match="No S3 objects found"):
        transform(aws, upper, f"s3://{aws.bucket}/nothing", S3DataType="ManifestFile")


def test_models_that_batch_transform_cannot_run(aws: Aws, image: str) -> None:
    prefix, sagemaker = inputs(aws, {"m.tar.gz": b"x"}), aws.client("sagemaker")
    plain = {"S3DataSource": {"S3Uri": prefix, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    kinds = {
        "has Mode MultiModel": [{"Image": image, "Mode": "MultiModel", "ModelDataUrl": prefix}],
        "has a ModelDataSource": [{"Image": image, "ModelDataSource": plain}],
        "has 2 containers": [{"Image": image, "ContainerHostname": host} for host in "ab"],
    }
    for text, containers in kinds.items():
        name = unique("model")
        sagemaker.create_model(ModelName=name, Containers=containers, ExecutionRoleArn=aws.role)
        with pytest.raises(ClientError, match=text):
            transform(aws, name, prefix)
    with pytest.raises(ClientError, match='Could not find model "arn'):
        transform(aws, "nothing", prefix)


def test_names_are_taken_once_and_unknown_jobs_are_told(aws: Aws, upper: str) -> None:
    uri, sagemaker = inputs(aws, {"a": "x"}), aws.client("sagemaker")
    name = transform(aws, upper, uri, Tags=[{"Key": "who", "Value": "me"}])
    with pytest.raises(ClientError, match=f"ResourceInUse.*already exists .*transform-job/{name}"):
        transform(aws, upper, uri, TransformJobName=name)
    for call in (sagemaker.describe_transform_job, sagemaker.stop_transform_job):
        with pytest.raises(ClientError, match=r"ValidationException.*Could not find requested job with name: nobody"):
            call(TransformJobName="nobody")
    arn = done(aws, name)["TransformJobArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "who", "Value": "me"}]
    listed = sagemaker.list_transform_jobs(NameContains=name, StatusEquals="Completed")["TransformJobSummaries"]
    assert [(item["TransformJobName"], item["TransformJobArn"]) for item in listed] == [(name, arn)]
    assert sagemaker.list_transform_jobs(NameContains=name, StatusEquals="Failed")["TransformJobSummaries"] == []
