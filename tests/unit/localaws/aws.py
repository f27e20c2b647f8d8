"""What the tests of localaws share: a running localaws, boto3 clients on it, and small images."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import boto3
from botocore.config import Config as BotoConfig

from localaws import images

REGION = "us-east-1"
ACCOUNT = "123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
REPOSITORY_ROOT = Path(__file__).resolve().parents[3]
WAIT_SECONDS = 20.0

T = TypeVar("T")

ECHO_SERVER = """#!/usr/bin/env python3
# A model server: answers with its model, its process and the request; bodies "400" and "500" choose the status.
import http.server, json, os, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *args): pass
    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name in ("X-Amzn-SageMaker-Custom-Attributes",):
            if self.headers[name]: self.send_header(name, self.headers[name])
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.reply(int(os.environ.get("PING_STATUS", "200")), b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if body == "die": os._exit(3)
        if body in ("400", "500"): return self.reply(int(body), b"no good")
        base = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
        model = sorted(p.name for p in pathlib.Path(base, "model").iterdir())
        answer = {"pid": os.getpid(), "model": model, "body": body, "type": self.headers["Content-Type"],
                  "name": os.environ.get("NAME", "")}
        self.reply(200, json.dumps(answer).encode())
print("serving", flush=True)
port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@contextmanager
def running(*words: str, **popen: Any) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """(URL, process) of a localaws of its own."""
    command = [sys.executable, "-m", "localaws", *words]
    process = subprocess.Popen(command, cwd=REPOSITORY_ROOT, stdout=subprocess.PIPE, text=True, **popen)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(WAIT_SECONDS)
        process.stdout.close()


def wait_for(probe: Callable[[], T | Literal[False]], what: str) -> T:
    """Poll until `probe` answers something true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {WAIT_SECONDS} s")


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Aws:
    """boto3 clients on one localaws, and the things that nearly every test makes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}
        self.bucket = unique("bucket")
        self.client("s3").create_bucket(Bucket=self.bucket)
        services = ["sagemaker.amazonaws.com", "codebuild.amazonaws.com"]
        statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        created = self.client("iam").create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust)
        self.role = created["Role"]["Arn"]
        everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}], "Version": "2012-10-17"}
        name, text = created["Role"]["RoleName"], json.dumps(everything)
        self.client("iam").put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=text)

    def client(self, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = boto3.client(
                name,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=BotoConfig(retries={"max_attempts": 0}, max_pool_connections=20),
            )
        return self._clients[name]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def put(self, key: str, body: bytes | str) -> str:
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def read(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def image(self, files: Mapping[str, str], **config: Any) -> str:
        """Push an image whose /opt/program holds `files` (executable) and return its name."""
        folder = Path(tempfile.mkdtemp())
        try:
            program = folder / "rootfs" / "opt" / "program"
            program.mkdir(parents=True)
            for name, text in files.items():
                (program / name).write_text(text)
                (program / name).chmod(0o755)
            env = {"PATH": f"/opt/program:{images.DEFAULT_PATH}", **config.pop("env", {})}
            images.write_config(folder, images.Config(env=env, workdir="/opt/program", **config))
            repository = unique("repo")
            self.client("ecr").create_repository(repositoryName=repository)
            name = f"{REGISTRY}/{repository}:v1"
            self.post("/_localaws/registry", {"reference": name, "folder": str(folder)})
            return name
        finally:
            shutil.rmtree(folder)

    def train(self, image: str, **extra: Any) -> str:
        """Start a training job; `algorithm` and `resources` extend those parts of the request."""
        name: str = extra.pop("TrainingJobName", unique("job"))
        request = {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                **extra.pop("algorithm", {}),
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/out"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
                **extra.pop("resources", {}),
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            **extra,
        }
        self.client("sagemaker").create_training_job(**request)
        return name

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("sagemaker").describe_training_job(TrainingJobName=name)
        return found

    def job_done(self, name: str) -> dict[str, Any]:
        final = ("Completed", "Failed", "Stopped")
        return wait_for(lambda: (job := self.job(name))["TrainingJobStatus"] in final and job, f"the end of {name}")

    def log(self, group: str, prefix: str) -> list[str]:
        logs = self.client("logs")
        try:
            found = logs.filter_log_events(logGroupName=group, logStreamNamePrefix=prefix)
        except logs.exceptions.ResourceNotFoundException:  # nothing has been written yet
            return []
        return [event["message"] for event in found["events"]]

    def job_log(self, name: str) -> list[str]:
        return self.log("/aws/sagemaker/TrainingJobs", f"{name}/")

    def tagged(self, stack: str) -> list[str]:
        """ARNs of everything that carries the tag slipway:stack with this value."""
        filters = [{"Key": "slipway:stack", "Values": [stack]}]
        found = self.client("resourcegroupstaggingapi").get_resources(TagFilters=filters)["ResourceTagMappingList"]
        return [item["ResourceARN"] for item in found]

    def config(self, image: str, count: int = 1, files: Mapping[str, bytes] | None = None, **environment: str) -> str:
        """A model and an endpoint configuration of one variant, both under the returned name."""
        name = unique("config")
        container: dict[str, Any] = {"Image": image, "Environment": environment}
        if files is not None:
            container["ModelDataUrl"] = self.put(f"{name}/model.tar.gz", tar_gz(files))
        sagemaker = self.client("sagemaker")
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self.role)
        variant = {
            "VariantName": "main",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": count,
        }
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        return name

    def endpoint(self, config: str) -> str:
        name = unique("endpoint")
        self.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=config)
        return name

    def describe(self, endpoint: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("sagemaker").describe_endpoint(EndpointName=endpoint)
        return found

    def settled(self, endpoint: str) -> dict[str, Any]:
        final = ("InService", "Failed")
        return wait_for(lambda: (it := self.describe(endpoint))["EndpointStatus"] in final and it, endpoint)

    def invoke(self, endpoint: str, body: str = "hello", **extra: Any) -> dict[str, Any]:
        runtime = self.client("sagemaker-runtime")
        answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/plain", **extra)
        found: dict[str, Any] = {**answer, **json.loads(answer["Body"].read())}
        return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[-1].split()[0]
