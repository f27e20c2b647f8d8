"""InvokeEndpointWithResponseStream: parts reach the client as the container sends them, and a break is told."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.unit.localaws.aws import Aws, running, unique, wait_for
from tests.unit.localaws.hosting import config, metric, model, serving, variant

STREAM_SERVER = """#!/usr/bin/env python3
# The body chooses the answer. "parts": two chunks, the second after a request "go"; "endless": chunks for ever.
import http.server, os, threading
go = threading.Event()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *args): pass
    def begin(self, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream")
        kept = [self.headers[name] for name in ("Accept", "Content-Type", "X-Amzn-SageMaker-Custom-Attributes")]
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", " ".join(filter(None, kept)))
        for name, value in headers.items(): self.send_header(name.replace("_", "-"), value)
        self.end_headers()
    def chunk(self, data): self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(data), data))
    def do_GET(self): self.begin(Content_Length="0")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if body == "go": go.set()
        if body == "never": threading.Event().wait()
        if body in ("go", "whole"): self.begin(Content_Length="5"); return self.wfile.write(b"whole")
        if body == "nothing": return self.begin(Content_Length="0")
        if body == "400": self.begin(400, Content_Length="7"); return self.wfile.write(b"no good")
        self.close_connection = body in ("short", "silent", "break")
        if body == "short": self.begin(Content_Length="9"); return self.wfile.write(b"one")
        self.begin(Transfer_Encoding="chunked")
        if body == "silent": return
        self.chunk(b"one")
        if body == "break": return
        if body == "hang": threading.Event().wait()
        try:
            while body == "endless": self.chunk(b"more" * 1000); threading.Event().wait(0.01)
        except OSError:
            print("client gone", flush=True)
            return
        go.wait(20)
        self.chunk(b"two" * 50000)
        self.chunk(b"")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def endpoint(aws: Aws) -> str:
    return serving(aws, config(aws, variant(model(aws, aws.image({"serve": STREAM_SERVER})))))


def call(aws: Aws, endpoint: str, body: str, **more: Any) -> dict[str, Any]:
    runtime = aws.client("sagemaker-runtime")
    found: dict[str, Any] = runtime.invoke_endpoint_with_response_stream(EndpointName=endpoint, Body=body, **more)
    return found


def parts(answer: dict[str, Any]) -> Iterator[bytes]:
    return (event["PayloadPart"]["Bytes"] for event in answer["Body"])


def test_parts_reach_the_client_as_they_come(aws: Aws, endpoint: str) -> None:
    found = parts(call(aws, endpoint, "parts"))
    assert next(found) == b"one"
    aws.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body="go")  # only now there is more
    assert b"".join(found) == b"two" * 50000


def test_a_whole_answer_is_a_stream_too_and_headers_pass(aws: Aws, endpoint: str) -> None:
    answer = call(aws, endpoint, "whole", CustomAttributes="trace=7")
    assert b"".join(parts(answer)) == b"whole"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/event-stream", "main")
    assert "trace=7" in answer["CustomAttributes"]
    echoed = call(aws, endpoint, "whole", Accept="text/x-own", ContentType="text/csv")
    assert echoed["CustomAttributes"] == "text/x-own text/csv"
    assert list(parts(echoed)) == [b"whole"]
    assert list(parts(call(aws, endpoint, "nothing"))) == []


@pytest.mark.parametrize("body", ["break", "short"])
def test_an_answer_that_breaks_off_is_told_within_the_stream(aws: Aws, endpoint: str, body: str) -> None:
    found = parts(call(aws, endpoint, body))
    assert next(found) == b"one"
    with pytest.raises(EventStreamError, match=r"ModelStreamError.*was reset or closed"):
        next(found)


def test_what_goes_wrong_before_the_first_byte_is_a_model_error(aws: Aws, endpoint: str) -> None:
    for body, status in (("400", 400), ("silent", 0)):
        with pytest.raises(ClientError) as caught:
            call(aws, endpoint, body)
        answer = caught.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
        assert answer["OriginalStatusCode"] == status
    with pytest.raises(ClientError, match="Endpoint nobody of account 123456789012 not found"):
        call(aws, "nobody", "whole")
    with pytest.raises(ClientError, match="Variant other not found for Request"):
        call(aws, endpoint, "whole", TargetVariant="other")


def test_asynchronous_endpoints_do_not_stream(aws: Aws) -> None:
    output = {"OutputConfig": {"S3OutputPath": f"s3://{aws.bucket}/{unique('out')}"}}
    own = model(aws, aws.image({"serve": STREAM_SERVER}))
    name = serving(aws, config(aws, variant(own), AsyncInferenceConfig=output))
    with pytest.raises(ClientError, match=r"ValidationError.*takes asynchronous requests only"):
        call(aws, name, "whole")


def test_a_client_that_leaves_gives_the_instance_back(aws: Aws) -> None:
    name = serving(aws, config(aws, variant(model(aws, aws.image({"serve": STREAM_SERVER})))))
    answer = call(aws, name, "endless")
    assert next(parts(answer)).startswith(b"one")
    answer["Body"].close()
    logged = f"/aws/sagemaker/Endpoints/{name}"
    wait_for(lambda: "client gone" in aws.log(logged, "main/"), "the end of the answer")
    aws.client("sagemaker").delete_endpoint(EndpointName=name)  # waits for requests in flight
    listed = aws.client("sagemaker").list_endpoints
    wait_for(lambda: not listed(NameContains=name)["Endpoints"], "the deletion")


def test_streams_are_metered(aws: Aws, endpoint: str) -> None:
    name = serving(aws, config(aws, variant(model(aws, aws.image({"serve": STREAM_SERVER})))))
    created = aws.describe(name)["CreationTime"]
    assert list(parts(call(aws, name, "whole"))) == [b"whole"]
    with pytest.raises(EventStreamError):
        list(parts(call(aws, name, "break")))
    with pytest.raises(ClientError):
        call(aws, name, "400")
    sums = {"Invocations": 3, "Invocation4XXErrors": 1, "MidStreamErrors": 1}
    wait_for(lambda: sum(metric(aws, name, created, "Invocations", "Sum")) == 3, "the last stream's count")
    assert {key: sum(metric(aws, name, created, key, "Sum")) for key in sums} == sums
    assert sum(metric(aws, name, created, "FirstChunkModelLatency", "SampleCount")) == 2


def test_a_stream_has_a_minute_to_begin_and_eight_to_end() -> None:
    with running() as (url, _):
        own = Aws(url)
        name = serving(own, config(own, variant(model(own, own.image({"serve": STREAM_SERVER})))))
        too_long = "failed to finish sending the response within the timeout"
        endless = parts(call(own, name, "endless"))
        assert next(endless).startswith(b"one")
        own.post("/_localaws/clock", {"advance_seconds": 480})
        with pytest.raises(EventStreamError, match=too_long):
            list(endless)
        own.post("/_localaws/clock", {"mode": "scaled", "factor": 300})
        with pytest.raises(ClientError, match="Your invocation timed out while waiting for a response") as caught:
            call(own, name, "never")
        assert caught.value.response["OriginalStatusCode"] == 0
        hangs = parts(call(own, name, "hang"))
        assert next(hangs) == b"one"
        with pytest.raises(EventStreamError, match=too_long):
            next(hangs)
