"""The scalable target that a call is about, and the errors of Application Auto Scaling."""

from typing import Any

from localaws import cloud, scalable_dimensions
from localaws.cloud import Call
from localaws.errors import AwsError
from localaws.scaling import SERVICE


def backend(region: str) -> Any:
    scalable_dimensions.install()
    return cloud.backend(SERVICE, region)


def target(call: Call) -> Any:
    request = call.request
    return backend(call.region).targets.get(request["ScalableDimension"], {}).get(request["ResourceId"])


def missing(call: Call, what: str) -> AwsError:
    request = call.request
    name = f", policy name: {request['PolicyName']}" if "PolicyName" in request else ""
    return AwsError(
        "ObjectNotFoundException",
        f"No {what} found for service namespace: {request['ServiceNamespace']}, "
        f"resource ID: {request['ResourceId']}, scalable dimension: {request['ScalableDimension']}{name}",
    )


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
