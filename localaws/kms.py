"""KMS rules that moto leaves out: rotation periods, keys pending deletion, policies that are no JSON, AWS's aliases.

moto keeps the keys; `install` puts these checks before its answers.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.utils import unix_time, utcnow
from moto.kms.responses import KmsResponse

DELETION_WINDOW_DAYS = (7, 30)
ROTATION_PERIOD_DAYS = (90, 2560)
DEFAULT_ROTATION_DAYS = 365
USES = (
    "encrypt",
    "decrypt",
    "generate_data_key",
    "generate_data_key_without_plaintext",
    "enable_key_rotation",
    "disable_key_rotation",
    "schedule_key_deletion",
    "update_key_description",
    "create_grant",
)
POLICIES = ("create_key", "put_key_policy")

Method = Callable[[KmsResponse], str]
_original: dict[str, Method] = {
    name: getattr(KmsResponse, name) for name in {*USES, *POLICIES, "create_alias", "update_alias"}
}


def install() -> None:
    """Put the rules into moto's KMS. Doing it twice does no harm."""
    for name in USES:
        setattr(KmsResponse, name, _usable(_original[name]))
    for name in POLICIES:
        setattr(KmsResponse, name, _with_policy(_original[name]))
    for name in ("create_alias", "update_alias"):
        setattr(KmsResponse, name, _with_own_alias(_original[name]))
    KmsResponse.enable_key_rotation = _usable(_enable_key_rotation)
    KmsResponse.get_key_rotation_status = _get_key_rotation_status
    KmsResponse.schedule_key_deletion = _usable(_schedule_key_deletion)


def _key(response: KmsResponse) -> Any:
    """The key of the request, by id, ARN or alias; None if there is none."""
    backend, given = response.kms_backend, response._get_param("KeyId")
    if not given:
        return None
    return backend.keys.get(backend.any_id_to_key_id(given) or "")


def _usable(method: Method) -> Method:
    """A key that waits for its deletion can be described, and its deletion cancelled, nothing else."""

    def checked(response: KmsResponse) -> str:
        key = _key(response)
        if key is not None and key.key_state == "PendingDeletion":
            raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
        return method(response)

    return checked


def _with_policy(method: Method) -> Method:
    def checked(response: KmsResponse) -> str:
        policy = response._get_param("Policy")
        try:
            valid = not policy or isinstance(json.loads(policy), dict)
        except ValueError:
            valid = False
        if not valid:
            raise JsonRESTError("MalformedPolicyDocumentException", "The policy is not a JSON object.")
        return method(response)

    return checked


def _with_own_alias(method: Method) -> Method:
    def checked(response: KmsResponse) -> str:
        if (response._get_param("AliasName") or "").startswith("alias/aws/"):
            raise JsonRESTError("NotAuthorizedException", "Aliases that begin with alias/aws/ are AWS's own.")
        return method(response)

    return checked


def _within(response: KmsResponse, name: str, limits: tuple[int, int]) -> None:
    value, (low, high) = response._get_param(name), limits
    if value is not None and not low <= int(value) <= high:
        raise JsonRESTError("ValidationException", f"{name} is {value}; it must be between {low} and {high}.")


def _schedule_key_deletion(response: KmsResponse) -> str:
    _within(response, "PendingWindowInDays", DELETION_WINDOW_DAYS)
    return _original["schedule_key_deletion"](response)


def _enable_key_rotation(response: KmsResponse) -> str:
    _within(response, "RotationPeriodInDays", ROTATION_PERIOD_DAYS)
    answer, key = _original["enable_key_rotation"](response), _key(response)
    period = response._get_param("RotationPeriodInDays")
    # Without a period AWS keeps the one that was set before.
    key.rotation_period_days = int(period or getattr(key, "rotation_period_days", DEFAULT_ROTATION_DAYS))
    return answer


def _get_key_rotation_status(response: KmsResponse) -> str:
    response._validate_cmk_id(response._get_param("KeyId"))
    key = _key(response)
    found: dict[str, Any] = {"KeyId": key.id, "KeyRotationEnabled": key.key_rotation_status}
    if key.key_rotation_status:
        days = getattr(key, "rotation_period_days", DEFAULT_ROTATION_DAYS)
        found |= {"RotationPeriodInDays": days, "NextRotationDate": unix_time(utcnow() + timedelta(days=days))}
    return json.dumps(found)
