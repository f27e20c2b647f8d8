"""What a schedule calls: a Lambda function, an SNS topic, or any operation that changes something (universal targets).

Each call is made with the keys of the schedule's role, so that IAM judges it.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localaws import roles
from localaws.clock import Event
from localaws.cloud import Cloud
from localaws.errors import AwsError
from localaws.functions import events, runner
from localaws.iam import platform
from localaws.iam.platform import AccessError

UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
SESSION = "AWSScheduler"  # the name of the role's session
# AWS SDKs for Java, whose names universal targets use, call some services otherwise than botocore.
JAVA_NAMES = {"cloudwatchlogs": "logs", "eventbridge": "events", "sfn": "stepfunctions", "costexplorer": "ce"}
# Source: "Using universal targets", unsupported actions: operations that only read.
READING = (
    *("get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read", "lookup", "discover"),
    *("validate", "batchGet", "batchDescribe", "batchRead", "transactGet", "adminGet", "adminList", "testMigration"),
    *("retrieve", "testConnection", "translateDocument", "isAuthorized", "invokeModel"),
)
THROTTLED = ("ThrottlingException", "TooManyRequestsException", "Throttling", "RequestLimitExceeded")


class TargetError(Exception):
    """The call failed. `passing`: another attempt may succeed."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True, kw_only=True)
class Target:
    """`input` is the text that the target gets, context attributes filled in."""

    cloud: Cloud
    region: str
    arn: str
    role: str
    input: str


def problem(arn: str, given: str | None) -> str:
    """What is wrong with a target's ARN and Input, or ""."""
    if not arn.startswith(UNIVERSAL):
        kind = arn.split(":")[2] if arn.count(":") >= 5 else ""
        return "" if kind in _CALLS else f"Provided Arn is not in correct format or not supported here: {arn}"
    service, _, action = arn.removeprefix(UNIVERSAL).partition(":")
    known = _operations(service)
    if not known:
        return f"The service {service} of the target {arn} is not known"
    if action.startswith(READING):
        return f"The action {action} only reads; universal targets call operations that change something"
    if action.lower() not in known or not action[:1].islower():
        return f"The action {action} is no operation of {service}; write it in camel case, such as stopTrainingJob"
    try:
        if isinstance(json.loads(given or "{}"), dict):
            return ""
    except ValueError:
        pass  # the same answer as for JSON that is no object
    return f"The Input of {arn} must be a JSON object with the parameters of the operation"


@cache
def _client_name(service: str) -> str:
    """botocore's name of a service in a universal target's ARN, "" for none."""
    with _lock:
        known = _session().get_available_services()
    joined = {name.replace("-", ""): name for name in known}
    return JAVA_NAMES.get(service) or joined.get(service, "")


@cache
def _operations(service: str) -> dict[str, str]:
    """The service's operations in botocore's spelling, by the lower-case name."""
    name = _client_name(service)
    if not name:
        return {}
    with _lock:
        model = _session().get_service_model(name)
    return {operation.lower(): operation for operation in model.operation_names}


_lock = threading.Lock()  # a botocore session is not made for threads; clients are


@cache
def _session() -> Any:
    return botocore.session.Session()


def call(target: Target) -> Event | None:
    """Call the target. Returns what is set once a function has run for the first time. Raises TargetError."""
    if target.arn.startswith(UNIVERSAL):
        service, _, action = target.arn.removeprefix(UNIVERSAL).partition(":")
        _send(target, _client_name(service), _operations(service)[action.lower()], json.loads(target.input or "{}"))
        return None
    return _CALLS[target.arn.split(":")[2]](target)


def _function(target: Target) -> Event | None:
    try:
        platform.require(
            target.cloud, target.role, "lambda:InvokeFunction", target.arn, region=target.region, session=SESSION
        )
        function = runner.find(target.arn.split(":")[3], target.arn)
        json.loads(target.input)
    except AccessError as error:
        raise TargetError(str(error)) from error
    except AwsError as error:
        raise TargetError(f"{error.code}: {error.message}") from error
    except ValueError as error:
        raise TargetError(f"the input is not JSON: {error}") from error
    return events.submit(target.cloud, function, target.input, target.arn)[1]


def _topic(target: Target) -> Event | None:
    _send(target, "sns", "Publish", {"TopicArn": target.arn, "Message": target.input})
    return None


_CALLS: dict[str, Callable[[Target], Event | None]] = {"lambda": _function, "sns": _topic}


def _send(target: Target, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """An operation through localaws's own front, with the role's keys."""
    keys = roles.credentials(target.cloud, target.role, SESSION)
    with _lock:
        client = _session().create_client(
            service,
            region_name=target.region,
            endpoint_url=target.cloud.url,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=keys["AWS_SESSION_TOKEN"],
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
    try:
        getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"].get("Code", "")
        raise TargetError(str(error), passing=status >= 502 or code in THROTTLED) from error
    except BotoCoreError as error:
        raise TargetError(f"{operation}: {error}") from error
    finally:
        client.close()
