"""Multi-model endpoints: a model is fetched and loaded when a request names it, and unloaded where there is no room."""

import json
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, tar_gz, unique, wait_for
from tests.unit.localaws.hosting import NAME_SERVER, config, metric, model, serverless, serving, variant

MANY_SERVER = """#!/usr/bin/env python3
# Holds at most ROOM models; answers with a model's own text and its own process. A model whose text is "heavy" cannot
# be loaded at all; "slow" waits for the file `go` in the model's folder. The body "hold" waits for a body "free".
import http.server, json, os, pathlib, threading, time
loaded, lock, free = {}, threading.Lock(), threading.Event()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *args): pass
    def reply(self, status, body=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self): self.reply(200)
    def do_DELETE(self):
        name = self.path.split("/")[2]
        print("unload", loaded.get(name), flush=True)
        with lock: self.reply(200 if loaded.pop(name, None) else 404)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers["X-Amzn-SageMaker-Target-Model"]
        if self.path == "/models": return self.load(json.loads(body), target)
        _, _, name, verb = self.path.split("/")
        assert verb == "invoke"
        if name not in loaded: return self.reply(404, "not loaded")
        if body == "hold": print("holding", flush=True); free.wait(20)
        if body == "free": free.set()
        if body == "400": return self.reply(400, "no good")
        self.reply(200, json.dumps({"text": loaded[name], "pid": os.getpid(), "target": target}))
    def load(self, given, target):
        name, folder = given["model_name"], pathlib.Path(given["url"])
        text = (folder / "text").read_text()
        print("load", text, target, flush=True)
        if text == "heavy": return self.reply(500, "too heavy")
        if text == "slow":
            while not (folder.parent / "go").exists(): time.sleep(0.02)
        with lock:
            if name in loaded: return self.reply(409)
            if len(loaded) >= int(os.environ.get("ROOM", "9")): return self.reply(507, "no room")
            loaded[name] = text
        self.reply(200)
base = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
print("many", os.environ["SAGEMAKER_MULTI_MODEL"], sorted(os.listdir(base)), os.listdir(base + "/models"), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"serve": MANY_SERVER})


def many(aws: Aws, image: str, models: Mapping[str, str], **environment: str) -> str:
    """A multi-model model; `models` are the archives' names with their texts."""
    prefix, name = unique("models"), unique("model")
    for key, text in models.items():
        aws.put(f"{prefix}/{key}", tar_gz({"text": text.encode()}))
    url = f"s3://{aws.bucket}/{prefix}/"
    container = {"Image": image, "Mode": "MultiModel", "ModelDataUrl": url, "Environment": environment}
    aws.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=aws.role)
    return name


def ask(aws: Aws, endpoint: str, target: str, body: str = "x") -> dict[str, Any]:
    runtime = aws.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, TargetModel=target, Body=body)
    found: dict[str, Any] = json.loads(answer["Body"].read())
    return found


def log(aws: Aws, endpoint: str) -> list[str]:
    return aws.log(f"/aws/sagemaker/Endpoints/{endpoint}", "main/")


def wait_for_log(aws: Aws, endpoint: str, expected: list[str], *, since: int = 1) -> None:
    """The lines of the log from `since` on become these; they come a little later than the answers."""
    wait_for(lambda: len(log(aws, endpoint)) >= since + len(expected), "the log")
    assert log(aws, endpoint)[since:] == expected


def test_a_model_is_loaded_when_it_is_first_named(aws: Aws, image: str) -> None:
    own = many(aws, image, {"a.tar.gz": "A", "deep/b.tar.gz": "B"})
    assert aws.client("sagemaker").describe_model(ModelName=own)["PrimaryContainer"]["Mode"] == "MultiModel"
    endpoint = serving(aws, config(aws, variant(own)))
    wait_for_log(aws, endpoint, ["many true ['models'] []"], since=0)
    texts = [ask(aws, endpoint, target)["text"] for target in ("a.tar.gz", "deep/b.tar.gz", "a.tar.gz")]
    assert texts == ["A", "B", "A"]
    assert ask(aws, endpoint, "a.tar.gz")["target"] == "a.tar.gz"
    wait_for_log(aws, endpoint, ["load A a.tar.gz", "load B deep/b.tar.gz"])


def test_first_calls_at_a_time_load_a_model_once(aws: Aws, image: str) -> None:
    endpoint = serving(aws, config(aws, variant(many(aws, image, {"a": "A"}), count=1)))
    aws.client("sagemaker-runtime")
    texts: list[str] = []
    callers = [threading.Thread(target=lambda: texts.append(ask(aws, endpoint, "a")["text"])) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert texts == ["A"] * 6
    wait_for_log(aws, endpoint, ["load A a"])


def test_without_room_the_model_unused_for_longest_goes(aws: Aws, image: str) -> None:
    endpoint = serving(aws, config(aws, variant(many(aws, image, {"a": "A", "b": "B", "c": "C"}, ROOM="2"))))
    texts = [ask(aws, endpoint, target)["text"] for target in ("a", "b", "a", "c", "a", "b")]
    assert texts == ["A", "B", "A", "C", "A", "B"]
    full = ["load C c", "unload B", "load C c"], ["load B b", "unload C", "load B b"]
    wait_for_log(aws, endpoint, ["load A a", "load B b", *full[0], *full[1]])


def test_a_busy_model_is_not_unloaded(aws: Aws, image: str) -> None:
    endpoint = serving(aws, config(aws, variant(many(aws, image, {"a": "A", "b": "B"}, ROOM="1"))))
    aws.client("sagemaker-runtime")
    answers: list[str] = []
    holder = threading.Thread(target=lambda: answers.append(ask(aws, endpoint, "a", "hold")["text"]))
    holder.start()
    wait_for(lambda: "holding" in log(aws, endpoint), "the busy model")
    other = threading.Thread(target=lambda: answers.append(ask(aws, endpoint, "b")["text"]))
    other.start()
    wait_for(lambda: "load B b" in log(aws, endpoint), "the other model's load")
    assert answers == []
    ask(aws, endpoint, "a", "free")
    holder.join()
    other.join()
    assert sorted(answers) == ["A", "B"]


def test_a_load_that_fails_is_a_model_error_and_is_tried_again(aws: Aws, image: str) -> None:
    own = many(aws, image, {"a": "heavy", "b": "B"}, ROOM="0")
    endpoint = serving(aws, config(aws, variant(own)))
    for target, status in (("a", 500), ("a", 500), ("b", 507)):
        with pytest.raises(ClientError) as caught:
            ask(aws, endpoint, target)
        assert caught.value.response["Error"]["Code"] == "ModelError"
        assert caught.value.response["OriginalStatusCode"] == status
    wait_for_log(aws, endpoint, ["load heavy a", "load heavy a", "load B b"])


def test_a_models_own_error_is_a_model_error(aws: Aws, image: str) -> None:
    endpoint = serving(aws, config(aws, variant(many(aws, image, {"a": "A"}))))
    with pytest.raises(ClientError, match=r'ModelError.*client error \(400\) from primary with message "no good"'):
        ask(aws, endpoint, "a", "400")


def test_a_load_of_over_a_minute_is_told_and_goes_on(stepped: Aws) -> None:
    own = many(stepped, stepped.image({"serve": MANY_SERVER}), {"a": "slow", "b": "B"})
    endpoint = serving(stepped, config(stepped, variant(own)))
    created = stepped.describe(endpoint)["CreationTime"]
    assert ask(stepped, endpoint, "b")["text"] == "B"
    errors: list[ClientError] = []

    def call() -> None:
        try:
            ask(stepped, endpoint, "a")
        except ClientError as error:
            errors.append(error)

    stepped.client("sagemaker-runtime")
    caller = threading.Thread(target=call)
    caller.start()
    wait_for(lambda: "load slow a" in log(stepped, endpoint), "the load")
    stepped.post("/_localaws/clock", {"advance_seconds": 61})
    caller.join()
    assert errors[0].response["Error"]["Code"] == "ModelNotReadyException"
    assert errors[0].response["ResponseMetadata"]["HTTPStatusCode"] == 429
    loaded = metric(stepped, endpoint, created, "LoadedModelCount", "Maximum", "/aws/sagemaker/Endpoints")
    assert set(loaded) == {1.0}  # a value for each minute that has begun
    stepped.client("sagemaker").delete_endpoint(EndpointName=endpoint)


def test_wrong_targets_are_told(aws: Aws, image: str) -> None:
    own = many(aws, image, {"a": "A"})
    endpoint = serving(aws, config(aws, variant(own)))
    runtime = aws.client("sagemaker-runtime")
    with pytest.raises(ClientError, match=r"ValidationError.*Request \S+ is missing a target model header"):
        runtime.invoke_endpoint(EndpointName=endpoint, Body="x")
    missing = rf"ValidationError.*Failed to download model data\(bucket: {aws.bucket}, key: models-\S+/none.tar.gz\)"
    with pytest.raises(ClientError, match=missing):
        ask(aws, endpoint, "none.tar.gz")
    with pytest.raises(ClientError, match=r"ValidationError.*is missing a target model header"):
        runtime.invoke_endpoint_with_response_stream(EndpointName=endpoint, Body="x")
    url = aws.client("sagemaker").describe_model(ModelName=own)["PrimaryContainer"]["ModelDataUrl"]
    aws.put(url.split("/", 3)[3] + "no-archive", b"plain")
    with pytest.raises(ClientError, match=r"ValidationError.*Failed to extract model data archive"):
        ask(aws, endpoint, "no-archive")


def test_a_single_model_takes_no_target(aws: Aws) -> None:
    endpoint = serving(aws, config(aws, variant(model(aws, aws.image({"serve": NAME_SERVER})))))
    expected = f"ValidationError.*Endpoint {endpoint} is not a multi-model endpoint and does not support target model"
    with pytest.raises(ClientError, match=expected):
        ask(aws, endpoint, "a.tar.gz")


def test_modes_that_cannot_name_a_model_refuse_many(aws: Aws, image: str) -> None:
    own, plain = many(aws, image, {"a": "A"}), model(aws, image)
    asynchronous = {"OutputConfig": {"S3OutputPath": "s3://b/o"}}
    with pytest.raises(ClientError, match="has Mode MultiModel, which serverless endpoints do not support"):
        config(aws, serverless(own))
    with pytest.raises(ClientError, match="has Mode MultiModel, which AsyncInferenceConfig does not support"):
        config(aws, variant(own), AsyncInferenceConfig=asynchronous)
    with pytest.raises(ClientError, match="has Mode MultiModel, which ShadowProductionVariants does not support"):
        config(aws, variant(own), ShadowProductionVariants=[variant(own, "shadow")])
    with pytest.raises(ClientError, match="must all have Mode MultiModel, or none of them"):
        config(aws, variant(own), variant(plain, "other"))


@pytest.mark.parametrize(
    ("container", "text"),
    [
        ({}, "A container of Mode MultiModel needs a ModelDataUrl"),
        ({"ModelDataUrl": "s3://{bucket}/no-models-here/"}, "Could not find model data at s3://"),
    ],
)
def test_a_multi_model_model_needs_a_prefix_with_models(
    aws: Aws, image: str, container: dict[str, str], text: str
) -> None:
    given = {key: value.format(bucket=aws.bucket) for key, value in container.items()}
    with pytest.raises(ClientError, match=f"ValidationException.*{text}"):
        aws.client("sagemaker").create_model(
            ModelName=unique("model"),
            PrimaryContainer={"Image": image, "Mode": "MultiModel", **given},
            ExecutionRoleArn=aws.role,
        )


def test_requests_for_a_model_go_where_it_is_loaded(aws: Aws, image: str) -> None:
    endpoint = serving(aws, config(aws, variant(many(aws, image, {"a": "A", "b": "B"}), count=2)))
    pids = {target: {ask(aws, endpoint, target)["pid"] for _ in range(4)} for target in ("a", "b")}
    assert [len(found) for found in pids.values()] == [1, 1]
    wait_for(lambda: len([line for line in log(aws, endpoint) if line.startswith("load")]) == 2, "the loads")


def test_a_replaced_server_loads_its_models_again(aws: Aws, image: str) -> None:
    endpoint = serving(aws, config(aws, variant(many(aws, image, {"a": "A"}))))
    first = ask(aws, endpoint, "a")["pid"]
    os.kill(first, signal.SIGKILL)

    def pid() -> int:
        try:
            return int(ask(aws, endpoint, "a")["pid"])
        except ClientError:
            return first

    assert wait_for(lambda: (now := pid()) != first and now, "the replacement")


def test_loads_are_metered(aws: Aws, image: str) -> None:
    endpoint = serving(aws, config(aws, variant(many(aws, image, {"a": "A", "b": "B"}, ROOM="1"))))
    created = aws.describe(endpoint)["CreationTime"]
    for target in ("a", "a", "b"):
        ask(aws, endpoint, target)

    def total(name: str, statistic: str) -> float:
        return sum(metric(aws, endpoint, created, name, statistic))

    assert (total("ModelCacheHit", "Sum"), total("ModelCacheHit", "SampleCount")) == (1, 3)
    counts = {"ModelLoadingWaitTime": 2, "ModelDownloadingTime": 2, "ModelLoadingTime": 2, "ModelUnloadingTime": 1}
    assert {name: total(name, "SampleCount") for name in counts} == counts
    assert total("ModelLoadingWaitTime", "Sum") >= total("ModelLoadingTime", "Sum") > 0
