"""Zip functions of Python runtimes really run, with AWS's checks; versions, aliases and layers are moto's.

What moto leaves out of a function's configuration (logging, revisions, the members that an update changes) is added.
"""

from functools import cache
from typing import Any
from uuid import uuid4

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.policy import Policy
from moto.core.utils import iso_8601_datetime_with_milliseconds

from localaws import roles
from localaws.functions import code, deliveries

DIFFERENCES = (
    ("a function's time", "machine time, whatever the cloud's clock does: its limit, its duration, what is billed"),
    ("its memory", "MemorySize is billed, not enforced"),
    ("runtimes", "python3.x from a zip archive, all run by localaws's own interpreter; no layers, no images"),
    ("other sources of events", "taken as they come (queues, rules, log subscriptions); no permission is asked for"),
    ("log format", "text; LogFormat JSON is stored only"),
    ("failed asynchronous events", "retried and then dropped; destinations and dead letter queues are stored only"),
)
CANNOT_ASSUME = "The role defined for the function cannot be assumed by Lambda."
NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
_ZIP_FIELDS = {"Handler": "handler", "Runtime": "run_time"}
_UPDATED = {
    "KMSKeyArn": "kms_key_arn",
    "TracingConfig": "tracing_config",
    "DeadLetterConfig": "dead_letter_config",
}
_init, _configuration = LambdaFunction.__init__, LambdaFunction.get_configuration
_get_code = LambdaFunction.get_code
_update, _update_code = LambdaFunction.update_configuration, LambdaFunction.update_function_code
_create, _delete = LambdaBackend.create_function, LambdaBackend.delete_function
_configure, _put_event_config = (
    LambdaBackend.update_function_configuration,
    LambdaBackend.put_function_event_invoke_config,
)


@cache
def install() -> None:
    """Put the rules into moto's Lambda."""
    LambdaFunction.__init__ = _function_init
    LambdaFunction.get_configuration = _function_configuration
    LambdaFunction.get_code = _function_code
    LambdaFunction.invoke = _function_invoke
    LambdaFunction.update_configuration = _function_update
    LambdaFunction.update_function_code = _function_update_code
    Policy.principal_formatter = _policy_principal
    LambdaBackend.create_function = _backend_create
    LambdaBackend.delete_function = _backend_delete
    LambdaBackend.update_function_configuration = _backend_configure
    LambdaBackend.put_function_event_invoke_config = _backend_put_event_config


def _function_init(self: Any, account_id: str, spec: dict[str, Any], region: str, version: Any = 1) -> None:
    if spec.get("PackageType", "Zip") == "Zip":
        for name in _ZIP_FIELDS:
            if not spec.get(name):
                raise InvalidParameterValueException(
                    f"{name} is mandatory for functions created with deployment packages"
                )
    _init(self, account_id, spec, region, version)
    _require_zip(self)
    self.revision = str(uuid4())
    self.dead_letter_config = spec.get("DeadLetterConfig")
    self.logging_config = _logging(self, spec.get("LoggingConfig"))


def _require_zip(function: Any) -> None:
    if function.package_type == "Zip" and not code.check(function.code_bytes):
        raise InvalidParameterValueException(NOT_A_ZIP)


def _logging(function: Any, given: dict[str, Any] | None) -> dict[str, Any]:
    return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}", **(given or {})}


def _function_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = _configuration(self, on_create)
    return {
        **found,
        "RevisionId": self.revision,
        "LoggingConfig": self.logging_config,
        **({"DeadLetterConfig": self.dead_letter_config} if self.dead_letter_config else {}),
    }


def _function_code(self: Any) -> dict[str, Any]:
    found: dict[str, Any] = _get_code(self)
    if self.reserved_concurrency is not None:  # 0 switches a function off; moto shows none then
        found["Concurrency"] = {"ReservedConcurrentExecutions": self.reserved_concurrency}
    return found


def _function_invoke(self: Any, body: str, request_headers: Any, response_headers: Any) -> bytes:
    """What moto itself sends to a function: from queues, rules of EventBridge, log subscriptions, InvokeAsync."""
    deliveries.hand_over(self, body or "{}")
    return b"{}"


def _changed(function: Any) -> dict[str, Any]:
    function.revision = str(uuid4())
    function.last_modified = iso_8601_datetime_with_milliseconds().replace("Z", "+0000")
    found: dict[str, Any] = function.get_configuration()
    return found


def _function_update(self: Any, updates: dict[str, Any]) -> dict[str, Any]:
    if "Environment" in updates:
        updates = {**updates, "Environment": {"Variables": updates["Environment"].get("Variables") or {}}}
    _update(self, updates)
    for member, attribute in _UPDATED.items():
        if member in updates:
            setattr(self, attribute, updates[member])
    if "EphemeralStorage" in updates:
        self.ephemeral_storage = updates["EphemeralStorage"]["Size"]
    if "LoggingConfig" in updates:
        self.logging_config = _logging(self, updates["LoggingConfig"])
    return _changed(self)


def _function_update_code(self: Any, spec: dict[str, Any]) -> dict[str, Any]:
    kept = {name: getattr(self, name, None) for name in ("code_bytes", "code_size", "code_sha_256", "code_digest")}
    _update_code(self, spec)
    try:
        _require_zip(self)
    except InvalidParameterValueException:
        vars(self).update(kept)
        raise
    if spec.get("Architectures"):
        self.architectures = spec["Architectures"]
    return _changed(self)


def _policy_principal(self: Any, given: str) -> Any:
    """A permission's principal as the policy has it: moto leaves roles and accounts as bare texts."""
    if given == "*":
        return given
    if given.isdigit():
        return {"AWS": f"arn:aws:iam::{given}:root"}
    return {"AWS" if given.startswith("arn:") else "Service": given}


def _require_role(role: Any, region: str, name: str) -> None:
    """As Lambda does when the role is written, so that a wrong trust policy is no surprise at the first event."""
    source = f"arn:aws:lambda:{region}:{role.split(':')[4]}:function:{name}" if role.count(":") > 4 else ""
    if not roles.assumable(role, "lambda.amazonaws.com", source):
        raise InvalidParameterValueException(CANNOT_ASSUME)


def _backend_create(self: Any, spec: dict[str, Any]) -> Any:
    spec = {**spec, "FunctionName": spec["FunctionName"].rsplit(":", 1)[-1]}
    found = _create(self, spec)  # moto judges the form of the role's ARN
    try:
        _require_role(spec["Role"], self.region_name, spec["FunctionName"])
    except InvalidParameterValueException:
        _delete(self, spec["FunctionName"])
        raise
    return found


def _backend_configure(self: Any, function_name: str, qualifier: str, body: dict[str, Any]) -> Any:
    if "Role" in body:
        _require_role(body["Role"], self.region_name, self.get_function(function_name).function_name)
    return _configure(self, function_name, qualifier, body)


def _backend_delete(self: Any, function_name: str, qualifier: str | None = None) -> None:
    function = self.get_function(function_name, qualifier)
    _delete(self, function_name, qualifier)
    deliveries.forget(function)


def _backend_put_event_config(self: Any, function_name: str, config: dict[str, Any]) -> Any:
    self.get_function(function_name).event_invoke_config.clear()  # moto would go on to use the first one
    return _put_event_config(self, function_name, config)
