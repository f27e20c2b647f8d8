"""The one exception that service code raises: an AWS error with its code, text and HTTP status."""

from typing import Any


class AwsError(Exception):
    """An error answer in AWS's own terms.

    `code` is what clients match on (botocore's `Error.Code`), `status` the HTTP status (400 for almost all of the
    JSON services), `fields` the extra members of the error's shape, such as ModelError's OriginalStatusCode.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


def validation(message: str) -> AwsError:
    """SageMaker's answer to almost every wrong request, missing resources included."""
    return AwsError("ValidationException", message)


def not_implemented(service: str, operation: str) -> AwsError:
    """501: the one 5xx status that the AWS SDKs do not retry."""
    return AwsError(
        "NotImplementedException",
        f"localaws does not implement {operation} of {service}; `python -m localaws --coverage` lists what it does.",
        status=501,
    )
