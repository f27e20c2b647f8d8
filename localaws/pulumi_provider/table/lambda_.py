"""Lambda functions from zip archives, who may invoke them, and what happens to events that fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localaws.pulumi_provider import assets
from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.schema import (
    AutoName,
    Hooks,
    Input,
    Look,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
    each,
)

GONE = ("ResourceNotFoundException",)
MEMORY_MB = 128  # Lambda's defaults
TIMEOUT_SECONDS = 3
UNRESERVED = -1  # pulumi-aws' word for a function without reserved concurrency
_API = "arn:aws:apigateway:{region}:lambda:path"
# An update takes the place of what was there: leaving a member out would keep it.
_CONFIGURATION = (
    "deadLetterConfig",
    "description",
    "environment",
    "ephemeralStorage",
    "handler",
    "kmsKeyArn",
    "layers",
    "loggingConfig",
    "memorySize",
    "role",
    "runtime",
    "timeout",
    "tracingConfig",
)
_CODE = ("code", "codeSha256", "s3Bucket", "s3Key", "s3ObjectVersion", "sourceCodeHash")


def _code(properties: Properties) -> dict[str, Any]:
    """The code as create and update operations take it. Raises ValueError without any."""
    if properties.get("code") is not None:
        body = assets.body({"source": properties["code"]})
        return {"ZipFile": body if isinstance(body, bytes) else body.read()}
    names = {"S3Bucket": "s3Bucket", "S3Key": "s3Key", "S3ObjectVersion": "s3ObjectVersion"}
    found = {api: properties[name] for api, name in names.items() if properties.get(name) is not None}
    if not {"S3Bucket", "S3Key"} <= found.keys():
        raise ValueError("a function needs its code: set 'code', or 's3Bucket' and 's3Key'")
    return found


def _add_code(_context: Context, properties: Properties, request: dict[str, Any]) -> None:
    request |= {"Code": _code(properties), "Publish": properties.get("publish", False)}


def _update_code(context: Context, properties: Properties) -> None:
    architectures = properties.get("architectures")
    kept = {"Architectures": architectures} if architectures else {}
    request = {"FunctionName": properties["name"], "Publish": properties.get("publish", False), **kept}
    context.call("UpdateFunctionCode", {**request, **_code(properties)})


def _reserve(context: Context, properties: Properties) -> None:
    key, count = {"FunctionName": properties["name"]}, properties.get("reservedConcurrentExecutions")
    if count in (None, UNRESERVED):
        context.call("DeleteFunctionConcurrency", key)
    else:
        context.call("PutFunctionConcurrency", {**key, "ReservedConcurrentExecutions": count})


def _reserved(_context: Context, state: Properties, _found: object) -> None:
    state.setdefault("reservedConcurrentExecutions", UNRESERVED)


def _delete(context: Context, state: Properties) -> None:
    """Deletes the function, unless the state says skipDestroy."""
    if not state.get("skipDestroy"):
        context.call("DeleteFunction", {"FunctionName": state["name"]})


FUNCTION = ResourceType(
    token="aws:lambda/function:Function",
    service="lambda",
    create="CreateFunction",
    read=Read(
        operation="GetFunction",
        result="merge(@, Configuration)",
        looks=(
            Look(
                operation="ListVersionsByFunction",
                into="Published",
                request=lambda known: {"FunctionName": known["FunctionName"]},
            ),
        ),
    ),
    delete=None,
    key={"FunctionName": "name"},
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="FunctionName", replaces=True),
        "architectures": Input(),
        **each(Input(local=True, uploaded=True), "code"),
        **each(
            Input(local=True, uploaded=True, kind="string"),
            "codeSha256",
            "s3Bucket",
            "s3Key",
            "s3ObjectVersion",
            "sourceCodeHash",
        ),
        "deadLetterConfig": Input(cleared={"TargetArn": ""}),
        "description": Input(cleared=""),
        "environment": Input(cleared={"Variables": {}}),
        "kmsKeyArn": Input(api="KMSKeyArn", cleared=""),
        "layers": Input(read="Layers[].Arn", cleared=[]),
        "memorySize": Input(default=MEMORY_MB),
        "packageType": Input(default="Zip", replaces=True),
        "publish": Input(default=False, local=True, kind="boolean"),
        "reservedConcurrentExecutions": Input(
            read="Concurrency.ReservedConcurrentExecutions", kind="integer", default=UNRESERVED, initial=UNRESERVED
        ),
        "role": Input(required=True),
        "skipDestroy": Input(local=True, kind="boolean", default=False),
        "timeout": Input(default=TIMEOUT_SECONDS),
        **each(Input(), "ephemeralStorage", "handler", "loggingConfig", "runtime", "tracingConfig"),
    },
    outputs={
        "arn": "FunctionArn",
        "codeSha256": "CodeSha256",
        "lastModified": "LastModified",
        "sourceCodeSize": "CodeSize",
        "version": "Published.Versions[-1].Version",
    },
    derived={
        "invokeArn": f"{_API}/2015-03-31/functions/{{arn}}/invocations",
        "qualifiedArn": "{arn}:{version}",
        "qualifiedInvokeArn": f"{_API}/2015-03-31/functions/{{arn}}:{{version}}/invocations",
        "responseStreamingInvokeArn": f"{_API}/2021-11-15/functions/{{arn}}/response-streaming-invocations",
    },
    volatile=("codeSha256", "lastModified", "sourceCodeSize"),
    steps=(
        Step(operation="UpdateFunctionConfiguration", properties=_CONFIGURATION),
        Step(operation="UpdateFunctionCode", act=_update_code, properties=("architectures", *_CODE)),
        Step(
            operation="PutFunctionConcurrency",
            act=_reserve,
            properties=("reservedConcurrentExecutions",),
            on_create=True,
        ),
    ),
    auto_name=AutoName(limit=64),
    tags=TagStyle(key={"Resource": "arn"}, create="Tags", add="TagResource", remove="UntagResource", pairs=None),
    gone=GONE,
    lagging=("InvalidParameterValueException:cannot be assumed by Lambda",),
    hooks=Hooks(prepare=_add_code, after_read=_reserved, before_delete=_delete),
    refused=(
        "capacityProviderConfig",
        "codeSigningConfigArn",
        "durableConfig",
        "fileSystemConfig",
        "imageConfig",
        "imageUri",
        "publishTo",
        "replaceSecurityGroupsOnDestroy",
        "replacementSecurityGroupIds",
        "snapStart",
        "sourceKmsKeyArn",
        "tenancyConfig",
        "useResourceTimeoutForPropagation",
        "vpcConfig",
    ),
)


def _statement(_context: Context, state: Properties, found: Mapping[str, Any]) -> None:
    """One statement of the function's policy. Raises CallError for a policy without it."""
    statements = json.loads(found["Policy"])["Statement"]
    statement = next((item for item in statements if item.get("Sid") == state["statementId"]), None)
    if statement is None:
        raise CallError("GetPolicy", GONE[0], f"the policy has no statement {state['statementId']!r}")
    conditions = {key: value for rules in statement.get("Condition", {}).values() for key, value in rules.items()}
    principal = statement["Principal"]
    state |= {
        "action": statement["Action"],
        "principal": principal if isinstance(principal, str) else next(iter(principal.values())),
        "sourceArn": conditions.get("AWS:SourceArn"),
        "sourceAccount": conditions.get("AWS:SourceAccount"),
        "principalOrgId": conditions.get("aws:PrincipalOrgID"),
    }


PERMISSION = ResourceType(
    token="aws:lambda/permission:Permission",
    service="lambda",
    create="AddPermission",
    read=Read(operation="GetPolicy", key={"FunctionName": "function"}),
    delete="RemovePermission",
    key={"FunctionName": "function", "StatementId": "statementId"},
    id="{statementId}",
    import_id=r"(?P<function>.+)/(?P<statementId>[^/]+)",
    inputs={
        "function": Input(api="FunctionName", required=True, replaces=True),
        **each(Input(required=True, replaces=True), "action", "principal"),
        "principalOrgId": Input(api="PrincipalOrgID", replaces=True),
        **each(Input(replaces=True), "eventSourceToken", "sourceAccount", "sourceArn", "statementId"),
    },
    auto_name=AutoName(property="statementId", prefix_property="statementIdPrefix", limit=100),
    gone=GONE,
    hooks=Hooks(after_read=_statement),
    refused=("functionUrlAuthType", "invokedViaFunctionUrl", "qualifier"),
)

EVENT_INVOKE_CONFIG = ResourceType(
    token="aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
    service="lambda",
    create="PutFunctionEventInvokeConfig",
    read=Read(operation="GetFunctionEventInvokeConfig"),
    delete="DeleteFunctionEventInvokeConfig",
    key={"FunctionName": "functionName"},
    id="{functionName}",
    import_id=r"(?P<functionName>.+)",
    inputs={
        "functionName": Input(required=True, replaces=True),
        "maximumRetryAttempts": Input(default=2),
        **each(Input(), "destinationConfig", "maximumEventAgeInSeconds"),
    },
    upsert=True,
    gone=GONE,
    refused=("qualifier",),
)

ROWS = (FUNCTION, PERMISSION, EVENT_INVOKE_CONFIG)
