"""Our `serve` in every mode of SageMaker's: real-time, in parts, serverless, asynchronous, batch, many models."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from botocore.exceptions import ClientError
from torch import nn

from inference import artifact
from tests.unit.inference.conftest import SHAPE, Model, export, make_manifest
from tests.unit.localaws import batch as batches
from tests.unit.localaws.aws import Aws, tar_gz, unique, wait_for
from tests.unit.localaws.hosting import config, serverless, serving, variant

ROOT = Path(__file__).resolve().parents[2]
SERVE = f"#!/bin/sh\ncd {ROOT} && PYTHONPATH={ROOT} exec {sys.executable} -m inference\n"
ONE_WORKER = {"SLIPWAY_WORKERS": "1"}
OWN_CODE = """
def model_fn(model_dir):
    return open(model_dir + "/greeting.txt").read()
def input_fn(body, content_type):
    return body.decode() if isinstance(body, bytes) else body
def predict_fn(name, greeting):
    return greeting + " " + name
def output_fn(prediction, accept):
    return prediction, "text/plain"
"""


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"serve": SERVE})


@pytest.fixture(scope="module")
def served() -> nn.Module:
    torch.manual_seed(3)
    return Model().eval()


@pytest.fixture(scope="module")
def archive(served: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """model.tar.gz of a small artifact."""
    folder = tmp_path_factory.mktemp("artifact")
    export(served, torch.zeros(2, *SHAPE), folder / "source.pt2")
    schema = artifact.InputSchema(kind="image", name="image", dtype="float32", shape=SHAPE, minimum=0.0, maximum=10.0)
    artifact.write(folder / "model", make_manifest(served, schema), {"model.pt2": folder / "source.pt2"})
    return tar_gz({path.name: path.read_bytes() for path in (folder / "model").iterdir()})


def rows(count: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.random.default_rng(count).random((count, *SHAPE), np.float32) * 10


def scores(served: nn.Module, count: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    with torch.inference_mode():
        found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = served(torch.from_numpy(rows(count))).numpy()
    return found


def instances(count: int) -> str:
    return json.dumps({"instances": rows(count).tolist()})


def lines(count: int) -> str:
    return "".join(json.dumps(row.tolist()) + "\n" for row in rows(count))


def assert_scores(body: bytes, served: nn.Module, count: int) -> None:
    text = body.decode()
    found = json.loads(text)["predictions"] if '"predictions"' in text else [json.loads(x) for x in text.splitlines()]
    np.testing.assert_allclose([one["scores"] for one in found], scores(served, count), atol=1e-5)


def test_real_time_and_in_parts_as_they_come(aws: Aws, image: str, archive: bytes, served: nn.Module) -> None:
    endpoint = serving(aws, config(aws, variant(archived(aws, image, archive))))
    runtime = aws.client("sagemaker-runtime")
    asked = {"EndpointName": endpoint, "ContentType": "application/json"}
    answer = runtime.invoke_endpoint(Body=instances(3), CustomAttributes="trace=1", **asked)
    assert answer["CustomAttributes"] == "trace=1"
    assert_scores(answer["Body"].read(), served, 3)
    with pytest.raises(ClientError) as refused:
        runtime.invoke_endpoint(Body='{"instances": [[1]]}', **asked)
    assert refused.value.response["OriginalStatusCode"] == 400
    stream = runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, ContentType="application/jsonlines", Accept="application/jsonlines", Body=lines(100)
    )
    parts = [event["PayloadPart"]["Bytes"] for event in stream["Body"]]
    assert len(parts) > 1
    assert_scores(b"".join(parts), served, 100)


def archived(aws: Aws, image: str, archive: bytes, **environment: str) -> str:
    """A model of one archive."""
    url, name = aws.put(f"{unique('model')}/model.tar.gz", archive), unique("model")
    container = {"Image": image, "ModelDataUrl": url, "Environment": {**ONE_WORKER, **environment}}
    aws.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=aws.role)
    return name


def test_serverless(aws: Aws, image: str, archive: bytes, served: nn.Module) -> None:
    endpoint = serving(aws, config(aws, serverless(archived(aws, image, archive))))
    answer = aws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="application/json", Body=instances(2)
    )
    assert_scores(answer["Body"].read(), served, 2)


def test_asynchronous(aws: Aws, image: str, archive: bytes, served: nn.Module) -> None:
    places = {"S3OutputPath": f"s3://{aws.bucket}/answers/", "S3FailurePath": f"s3://{aws.bucket}/failures/"}
    endpoint = serving(
        aws,
        config(aws, variant(archived(aws, image, archive)), AsyncInferenceConfig={"OutputConfig": places}),
    )
    runtime = aws.client("sagemaker-runtime")
    good, bad = (
        runtime.invoke_endpoint_async(
            EndpointName=endpoint, ContentType="application/json", InputLocation=aws.put(unique("input"), body)
        )
        for body in (instances(4), '{"instances": []}')
    )
    assert_scores(wait_for(lambda: _read(aws, good["OutputLocation"]), "the answer"), served, 4)
    assert b"instances" in wait_for(lambda: _read(aws, bad["FailureLocation"]), "the failure")


def _read(aws: Aws, uri: str) -> bytes:
    try:
        return aws.read(uri)
    except ClientError:
        return b""


def test_batch_transform(aws: Aws, image: str, archive: bytes, served: nn.Module) -> None:
    uri = batches.inputs(aws, {"a.jsonl": lines(5), "b.jsonl": lines(7)})
    name = batches.transform(
        aws,
        archived(aws, image, archive),
        uri,
        BatchStrategy="MultiRecord",
        given={"ContentType": "application/jsonlines", "SplitType": "Line"},
        output={"Accept": "application/jsonlines", "AssembleWith": "Line"},
    )
    job = batches.done(aws, name)
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    found = batches.outputs(aws, name)
    assert_scores(found["a.jsonl.out"], served, 5)
    assert_scores(found["b.jsonl.out"], served, 7)


def test_many_models_of_ours_and_of_a_users_code(aws: Aws, image: str, archive: bytes, served: nn.Module) -> None:
    prefix, name = unique("models"), unique("model")
    aws.put(f"{prefix}/ours.tar.gz", archive)
    for greeting in ("hello", "goodbye"):
        files = {"code/inference.py": OWN_CODE.encode(), "greeting.txt": greeting.encode()}
        aws.put(f"{prefix}/{greeting}.tar.gz", tar_gz(files))
    container = {"Image": image, "Mode": "MultiModel", "ModelDataUrl": f"s3://{aws.bucket}/{prefix}/"}
    aws.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=aws.role)
    endpoint = serving(aws, config(aws, variant(name)))

    def ask(target: str, body: str, media: str) -> bytes:
        answer = aws.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, TargetModel=target, ContentType=media, Body=body
        )
        found: bytes = answer["Body"].read()
        return found

    for _ in range(2):
        assert_scores(ask("ours.tar.gz", instances(2), "application/json"), served, 2)
        for greeting in ("hello", "goodbye"):
            assert ask(f"{greeting}.tar.gz", "you", "text/plain") == f"{greeting} you".encode()
