"""What the tests of hosting share: a small server with a name, variants in every form, a client that never pauses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.unit.localaws.aws import Aws, unique

NAME_SERVER = """#!/usr/bin/env python3
# Answers with its name, with FAIL set by 500; the body "400" or "500" is the status, "slow" takes a second, "hang" for
# ever, "die" ends the server.
import http.server, os, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *args): pass
    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self): self.reply(int(os.environ.get("PING_STATUS", "200")), b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print("got", body, flush=True)
        if body == "die": os._exit(3)
        if body == "hang": threading.Event().wait()
        if body == "slow": time.sleep(1)
        if os.environ.get("FAIL"): return self.reply(500, b"always")
        if body in ("400", "500"): return self.reply(int(body), b"no good")
        self.reply(200, ('{"name": "%s", "pid": %d}' % (os.environ.get("NAME", ""), os.getpid())).encode())
print("ready", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def model(aws: Aws, image: str, environment: dict[str, str] | None = None, **extra: Any) -> str:
    name = unique("model")
    container = {"Image": image, "Environment": environment or {}}
    aws.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=aws.role, **extra)
    return name


def variant(model_name: str, name: str = "main", count: int = 1, **extra: Any) -> dict[str, Any]:
    plain = {"VariantName": name, "ModelName": model_name, "InstanceType": "ml.m5.large"}
    return {**plain, "InitialInstanceCount": count, **extra}


def serverless(model_name: str, concurrency: int = 2, **extra: Any) -> dict[str, Any]:
    config = {"MemorySizeInMB": 2048, "MaxConcurrency": concurrency, **extra}
    return {"VariantName": "main", "ModelName": model_name, "ServerlessConfig": config}


def config(aws: Aws, *variants: dict[str, Any], **extra: Any) -> str:
    name = unique("config")
    aws.client("sagemaker").create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants), **extra)
    return name


def named(aws: Aws, image: str, name: str, count: int = 1, **extra: Any) -> str:
    """A configuration of one variant whose servers answer with the name."""
    return config(aws, variant(model(aws, image, {"NAME": name}), count=count, **extra))


def serving(aws: Aws, config_name: str) -> str:
    """A new endpoint, in service."""
    endpoint = aws.endpoint(config_name)
    found = aws.settled(endpoint)
    assert found["EndpointStatus"] == "InService", found
    return endpoint


def keys(aws: Aws, prefix: str) -> list[str]:
    found = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


def metric(
    aws: Aws, endpoint: str, begin: datetime, name: str, statistic: str, namespace: str = "AWS/SageMaker"
) -> list[float]:
    """A statistic of the variant `main`, minute by minute."""
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "main"}],
        StartTime=begin.replace(second=0, microsecond=0),
        EndTime=begin + timedelta(days=1),
        Period=60,
        Statistics=[statistic],
    )["Datapoints"]
    return [float(point[statistic]) for point in sorted(points, key=lambda point: point["Timestamp"])]


class Calls:
    """What a client that calls without a pause has seen."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.errors: list[str] = []

    def share(self, name: str, last: int) -> float:
        """The part of the last answers that came from servers of that name."""
        recent = self.answers[-last:]
        return recent.count(name) / max(len(recent), 1)


@contextmanager
def calling(aws: Aws, endpoint: str, threads: int = 2) -> Iterator[Calls]:
    calls, stop = Calls(), threading.Event()

    def call() -> None:
        while not stop.is_set():
            try:
                calls.answers.append(aws.invoke(endpoint)["name"])
            except (BotoCoreError, ClientError) as error:
                calls.errors.append(str(error))

    aws.client("sagemaker-runtime")
    workers = [threading.Thread(target=call) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield calls
    finally:
        stop.set()
        for worker in workers:
            worker.join()
