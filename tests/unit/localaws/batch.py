"""What the tests of transform jobs share: a small server, a job's request, and its end."""

from typing import Any

from tests.unit.localaws.aws import Aws, tar_gz, unique, wait_for

BATCH_SERVER = """#!/usr/bin/env python3
# Answers each line in upper case, or as ANSWER says. Lines choose: "400" and "500" the status, "meet" waits for
# another request, "wait" never ends, "gone" ends the server.
import http.server, json, os, pathlib, threading
meeting = threading.Barrier(2)
kinds = {
    "upper": lambda line: line.upper(),
    "columns": lambda line: str(len(line.split(","))),
    "json": lambda line: json.dumps({"got": json.loads(line)}),
    "pid": lambda line: str(os.getpid()),
}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *args): pass
    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        wishes = os.environ.get("WISHES", "")
        if self.path == "/ping": return self.reply(int(os.environ.get("PING_STATUS", "200")), b"")
        self.reply(200 if wishes else 404, wishes.encode())
    def body(self):
        if self.headers["Transfer-Encoding"] != "chunked": return self.rfile.read(int(self.headers["Content-Length"]))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found
    def do_POST(self):
        body = self.body().decode()
        kept = [self.headers[name] for name in ("Content-Type", "Accept", "Transfer-Encoding")]
        print("got", len(body), *kept, body[:40].split(), flush=True)
        if "meet" in body: meeting.wait(10)
        if "wait" in body: threading.Event().wait()
        if "gone" in body: os._exit(3)
        if body[:3] in ("400", "500"): return self.reply(int(body[:3]), b"no good")
        answer = kinds[os.environ.get("ANSWER", "upper")]
        self.reply(200, "\\n".join(answer(line) for line in body.splitlines()).encode())
print("env", json.dumps({name: value for name, value in os.environ.items() if name.startswith(("SAGEMAKER_", "OWN"))}))
print("model", sorted(p.name for p in pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "model").iterdir()))
print("pid", os.getpid(), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def model(aws: Aws, image: str, **environment: str) -> str:
    name = unique("model")
    archive = aws.put(f"{name}/model.tar.gz", tar_gz({"w.bin": b"1"}))
    container = {"Image": image, "ModelDataUrl": archive, "Environment": environment}
    aws.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=aws.role)
    return name


def inputs(aws: Aws, files: dict[str, str | bytes]) -> str:
    """The prefix below which these objects are."""
    prefix = unique("in")
    for name, content in files.items():
        aws.put(f"{prefix}/{name}", content)
    return f"s3://{aws.bucket}/{prefix}/"


def transform(aws: Aws, model_name: str, uri: str, **more: Any) -> str:
    """Start a job. `given`, `output` and `resources` extend those parts of the request."""
    name: str = more.pop("TransformJobName", unique("transform"))
    source = {"S3DataType": more.pop("S3DataType", "S3Prefix"), "S3Uri": uri}
    aws.client("sagemaker").create_transform_job(
        TransformJobName=name,
        ModelName=model_name,
        TransformInput={"DataSource": {"S3DataSource": source}, **more.pop("given", {})},
        TransformOutput={"S3OutputPath": f"s3://{aws.bucket}/out/{name}", **more.pop("output", {})},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1, **more.pop("resources", {})},
        **more,
    )
    return name


def described(aws: Aws, name: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("sagemaker").describe_transform_job(TransformJobName=name)
    return found


def done(aws: Aws, name: str) -> dict[str, Any]:
    final = ("Completed", "Failed", "Stopped")
    return wait_for(lambda: (job := described(aws, name))["TransformJobStatus"] in final and job, f"the end of {name}")


def outputs(aws: Aws, name: str) -> dict[str, bytes]:
    """What the job has stored, by the path below its output prefix."""
    prefix = f"out/{name}/"
    found = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix=prefix).get("Contents", [])
    return {item["Key"].removeprefix(prefix): aws.read(f"s3://{aws.bucket}/{item['Key']}") for item in found}


def server_log(aws: Aws, name: str) -> list[str]:
    lines = aws.log("/aws/sagemaker/TransformJobs", f"{name}/")
    return [line for line in lines if "[sagemaker logs]" not in line]


def data_log(aws: Aws, name: str) -> list[str]:
    """AWS's own lines, without their time."""
    lines = aws.log("/aws/sagemaker/TransformJobs", f"{name}/")
    return [line.partition("[sagemaker logs]: ")[2] for line in lines if "[sagemaker logs]" in line]


def server_pids(aws: Aws, name: str) -> list[int]:
    return [int(line.split()[1]) for line in server_log(aws, name) if line.startswith("pid ")]
