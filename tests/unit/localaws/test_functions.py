"""Lambda: functions run as processes, with AWS's errors, logs, limits and permissions."""

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.acting import function, invoke, printed, role, zipped
from tests.unit.localaws.aws import ACCOUNT, Aws, unique, wait_for

CODE = """
import logging, os, sys, time
logging.getLogger().setLevel("INFO")

def who(event, context):
    import boto3
    return boto3.client("sts").get_caller_identity()["Arn"]

def fail(event, context):
    raise KeyError("gone")

def end(event, context):
    os._exit(3)

def sleep(event, context):
    time.sleep(60)

def imports(event, context):
    try:
        import pytest
    except ImportError as error:
        return str(error)

def describe(event, context):
    print("printed", flush=False)
    logging.info("logged")
    return {"event": event, "pid": os.getpid(), "arn": context.invoked_function_arn, "name": context.function_name,
            "request": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
            "mode": os.environ.get("MODE"), "region": os.environ["AWS_REGION"], "here": os.listdir(".")}

def handle(event, context):
    return globals()[event.pop("do", "describe")](event, context)
"""


@pytest.fixture(scope="module")
def shared(aws: Aws) -> str:
    """A function whose event says what it does."""
    return function(aws, CODE, Environment={"Variables": {"MODE": "test", "AWS_REGION": "mine"}})


def test_a_function_gets_its_event_its_context_and_its_variables(aws: Aws, shared: str) -> None:
    first, second = (invoke(aws, shared, {"n": number}) for number in (1, 2))
    told = first["Payload"]
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{shared}"
    assert (first["StatusCode"], first["ExecutedVersion"], told["arn"]) == (200, "$LATEST", arn)
    assert (told["event"], told["mode"], told["region"], told["name"]) == ({"n": 1}, "test", "us-east-1", shared)
    assert 0 < told["left"] <= 10_000
    assert "code.py" in told["here"]
    assert second["Payload"]["pid"] == told["pid"]  # the process is used again
    assert second["Payload"]["request"] != told["request"]


def test_a_function_has_its_roles_keys_and_boto3_and_nothing_else_of_this_machine(aws: Aws, shared: str) -> None:
    assert invoke(aws, shared, {"do": "who"})["Payload"].endswith(f"/{shared}")
    assert invoke(aws, shared, {"do": "imports"})["Payload"] == "No module named 'pytest'"


def test_the_log_is_that_of_lambda(aws: Aws, shared: str) -> None:
    answer = invoke(aws, shared, {}, LogType="Tail")
    start, words, logged, end, report, last = base64.b64decode(answer["LogResult"]).decode().split("\n")
    request = answer["Payload"]["request"]
    assert (start, words, end, last) == (
        f"START RequestId: {request} Version: $LATEST",
        "printed",
        f"END RequestId: {request}",
        "",
    )
    assert logged.startswith("[INFO]\t20") and logged.endswith(f"\t{request}\tlogged")
    assert report.startswith(f"REPORT RequestId: {request}\tDuration: ") and "\tMemory Size: 128 MB\t" in report
    wait_for(lambda: any(request in line for line in aws.log(f"/aws/lambda/{shared}", "20")), "the log")


@pytest.mark.parametrize(
    ("event", "kind", "text"),
    [
        ({"do": "fail"}, "KeyError", "'gone'"),
        ({"do": "end"}, "Runtime.ExitError", "Error: Runtime exited with error: exit status 3"),
        ({"do": "sys"}, "TypeError", "not callable"),
    ],
)
def test_errors_of_a_function_are_its_answer(
    aws: Aws, shared: str, event: dict[str, Any], kind: str, text: str
) -> None:
    answer = invoke(aws, shared, event)
    assert (answer["StatusCode"], answer["FunctionError"], answer["Payload"]["errorType"]) == (200, "Unhandled", kind)
    assert text in answer["Payload"]["errorMessage"]
    assert invoke(aws, shared, {})["Payload"]["event"] == {}  # and the next one runs


def test_a_function_ends_at_its_timeout(aws: Aws) -> None:
    name = function(aws, CODE, Timeout=1)
    answer = invoke(aws, name, {"do": "sleep"})
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
    assert answer["Payload"]["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")


@pytest.mark.parametrize(
    ("handler", "code", "kind", "message"),
    [
        ("other.handle", "", "ImportModuleError", "Unable to import module 'other': No module named 'other'"),
        ("code.handle", "", "HandlerNotFound", "Handler 'handle' missing on module 'code'"),
        (
            "code.handle",
            "def",
            "UserCodeSyntaxError",
            "Syntax error in module 'code': invalid syntax (code.py, line 1)",
        ),
    ],
)
def test_code_that_cannot_be_loaded(aws: Aws, handler: str, code: str, kind: str, message: str) -> None:
    name = function(aws, code, Handler=handler)
    error = invoke(aws, name)["Payload"]
    assert (error["errorType"], error["errorMessage"]) == (f"Runtime.{kind}", message)


def test_new_code_and_new_settings_are_used_at_once(aws: Aws) -> None:
    name, lambda_ = function(aws, "def handle(event, context): return 1"), aws.client("lambda")
    assert invoke(aws, name)["Payload"] == 1
    before = lambda_.get_function_configuration(FunctionName=name)
    lambda_.update_function_code(
        FunctionName=name, ZipFile=zipped({"new.py": "import os\ndef go(event, context): return os.environ['A']"})
    )
    after = lambda_.update_function_configuration(
        FunctionName=name, Handler="new.go", Environment={"Variables": {"A": "b"}}, EphemeralStorage={"Size": 1024}
    )
    assert invoke(aws, name)["Payload"] == "b"
    assert after["EphemeralStorage"] == {"Size": 1024}
    assert {before["RevisionId"], before["CodeSha256"]}.isdisjoint({after["RevisionId"], after["CodeSha256"]})
    lambda_.update_function_configuration(FunctionName=name, Environment={})
    assert invoke(aws, name)["Payload"]["errorType"] == "KeyError"


def test_a_deleted_function_is_gone_with_its_process(aws: Aws) -> None:
    name = function(aws, "import os\ndef handle(event, context): return os.getpid()")
    before = aws.get("/_localaws/health")["processes"]
    invoke(aws, name)
    aws.client("lambda").delete_function(FunctionName=name)
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*Function not found"):
        invoke(aws, name)
    wait_for(lambda: aws.get("/_localaws/health")["processes"] <= before, "the end of the process")


def test_what_lambda_refuses(aws: Aws, shared: str) -> None:
    lambda_ = aws.client("lambda")
    with pytest.raises(ClientError, match=r"InvalidRequestContentException.*Could not parse request body into json"):
        lambda_.invoke(FunctionName=shared, Payload=b"{")
    with pytest.raises(ClientError, match="RequestTooLargeException"):
        lambda_.invoke(FunctionName=shared, InvocationType="Event", Payload=json.dumps("x" * 1_048_576))
    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*cannot be assumed by Lambda"):
        function(aws, CODE, Role=role(aws, services=("sagemaker.amazonaws.com",)))
    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*Could not unzip"):
        function(aws, CODE, Code={"ZipFile": b"no zip"})
    name = function(aws, CODE, Runtime="nodejs22.x")
    with pytest.raises(ClientError, match=r"NotImplementedException.*python3 runtimes.*nodejs22\.x"):
        invoke(aws, name)
    lambda_.put_function_concurrency(FunctionName=shared, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        invoke(aws, shared)
    assert lambda_.get_function(FunctionName=shared)["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    lambda_.delete_function_concurrency(FunctionName=shared)
    assert lambda_.invoke(FunctionName=shared, InvocationType="DryRun")["StatusCode"] == 204


def test_a_role_invokes_only_what_its_policy_or_the_functions_own_allows(aws: Aws, shared: str) -> None:
    code = f"""
import boto3
def handle(event, context):
    try:
        return boto3.client("lambda").invoke(FunctionName="{shared}", Payload=b'{{}}')["StatusCode"]
    except Exception as error:
        return str(error)
"""
    arn = role(aws, "logs:*")
    name = function(aws, code, Role=arn)
    text = f"is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:{ACCOUNT}"
    assert text in invoke(aws, name)["Payload"]
    permission = {"StatementId": unique("caller"), "Action": "lambda:InvokeFunction", "Principal": arn}
    aws.client("lambda").add_permission(FunctionName=shared, **permission)
    assert invoke(aws, name)["Payload"] == 200


def test_an_event_that_fails_is_tried_three_times_by_the_clock(stepped: Aws) -> None:
    name = function(stepped, "def handle(event, context):\n    print('tried', event['n'])\n    raise ValueError")
    assert invoke(stepped, name, {"n": 1}, InvocationType="Event")["StatusCode"] == 202

    def tries() -> int:
        return sum(line == "tried 1" for line in printed(stepped, name))

    for number, seconds in enumerate((60, 120, 3600), 1):
        wait_for(lambda expected=number: tries() == expected, f"try {number}")  # type: ignore[misc]
        stepped.post("/_localaws/clock", {"advance_seconds": seconds})
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Errors"}
    now = stepped.get("/_localaws/clock")["now"]
    found = stepped.client("cloudwatch").get_metric_statistics(
        **metric,
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - 7200,
        EndTime=now + 60,
        Period=14400,
        Statistics=["Sum"],
    )
    assert sum(point["Sum"] for point in found["Datapoints"]) == 3 == tries()


def test_sns_delivers_to_a_function_that_lets_it(stepped: Aws) -> None:
    sns, lambda_ = stepped.client("sns"), stepped.client("lambda")
    name = function(stepped, "import json\ndef handle(event, context): print(json.dumps(event))")
    arn = lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="dropped")
    lambda_.add_permission(
        FunctionName=name,
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    attributes = {"kind": {"DataType": "String", "StringValue": "breach"}}
    message = sns.publish(TopicArn=topic, Message="hello", Subject="about", MessageAttributes=attributes)["MessageId"]
    [line] = wait_for(lambda: printed(stepped, name), "the message")
    [record] = json.loads(line)["Records"]
    assert (record["EventSource"], record["EventSubscriptionArn"]) == ("aws:sns", subscription)
    told = record["Sns"]
    assert (told["MessageId"], told["TopicArn"], told["Subject"], told["Message"]) == (message, topic, "about", "hello")
    assert told["MessageAttributes"] == {"kind": {"Type": "String", "Value": "breach"}}
    assert told["Timestamp"].endswith("Z")
    with pytest.raises(ClientError, match=r"InvalidParameter.*Lambda endpoint ARN"):
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=name)
