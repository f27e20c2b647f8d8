"""A request that cannot be answered: the status and the sentence the client reads as {"error": ...}."""

from http import HTTPStatus


class RequestError(Exception):
    """`status` is a 4xx, or 503 while there is no model; `headers` go into the answer."""

    def __init__(self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def bad_request(message: str) -> RequestError:
    """400: the body is not what its content type and the model's schema call for."""
    return RequestError(HTTPStatus.BAD_REQUEST, message)
