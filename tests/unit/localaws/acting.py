"""What the tests of functions and of schedules share: a role, functions of one file, what has fired."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from tests.unit.localaws.aws import Aws, unique, wait_for

SERVICES = ("lambda.amazonaws.com", "scheduler.amazonaws.com")
ALLOWED = ("logs:*", "lambda:InvokeFunction", "sns:*")


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def role(aws: Aws, *actions: str, services: tuple[str, ...] = SERVICES) -> str:
    """The ARN of a role that these services may assume and that allows these actions on everything."""
    trust = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam, name = aws.client("iam"), unique("acting")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=text)["Role"]["Arn"]
    rights = {"Effect": "Allow", "Action": list(actions or ALLOWED), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document)
    return arn


def function(aws: Aws, code: str, **more: Any) -> str:
    """The name of a function whose handler is `handle` in this code."""
    name = unique("function")
    aws.client("lambda").create_function(
        **{
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "code.handle",
            "Code": {"ZipFile": zipped({"code.py": code})},
            "Timeout": 10,
            **({} if "Role" in more else {"Role": role(aws)}),
            **more,
        }
    )
    return name


def invoke(aws: Aws, name: str, event: Any = None, **more: Any) -> dict[str, Any]:
    """The answer of Invoke, its payload read."""
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **more)
    body = answer.pop("Payload").read()
    return {**answer, "Payload": json.loads(body) if body else None}


def printed(aws: Aws, name: str) -> list[str]:
    """What the function has printed, without Lambda's own lines."""
    own = ("START ", "END ", "REPORT ")
    return [line for line in aws.log(f"/aws/lambda/{name}", "20") if not line.startswith(own)]


def fired(aws: Aws, schedule: str) -> list[dict[str, Any]]:
    """The firings of a schedule by its name, once nothing is due and nothing runs."""
    found = wait_for(lambda: not (it := aws.get("/_localaws/schedules"))["pending"] and it, "the end of all firing")
    return [item for item in found["fired"] if item["schedule"].endswith(f"/{schedule}")]
