"""What the API of many models reads and answers (inference.many_models.api)."""

import logging
from http import HTTPStatus

import orjson

from inference.http.errors import RequestError, bad_request
from inference.http.messages import Response
from inference.manifests.fields import ArtifactError

log = logging.getLogger(__name__)

OUT_OF_MEMORY = ("can't allocate memory", "out of memory")  # PyTorch says so with a RuntimeError
MAX_NAME = 1024


def read_load(body: bytes) -> tuple[str, str]:
    """(model_name, url) of the call that loads a model."""
    wanted = 'send {"model_name": "...", "url": "/opt/ml/models/.../model"}'
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON ({error}); {wanted}") from None
    found = document if isinstance(document, dict) else {}
    name, url = found.get("model_name"), found.get("url")
    if not isinstance(name, str) or not isinstance(url, str) or not 0 < len(name) <= MAX_NAME or "\0" in url:
        raise bad_request(f"model_name is {name!r:.100} and url {url!r:.100}; {wanted}")
    return name, url


def refusal(name: str, error: Exception) -> RequestError:
    """What the call that asked for the model hears of its failure."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    if any(isinstance(cause, MemoryError) or any(word in str(cause) for word in OUT_OF_MEMORY) for cause in causes):
        return RequestError(HTTPStatus.INSUFFICIENT_STORAGE, f"no memory for the model {name!r}: {error}")
    if isinstance(error, ArtifactError):
        return bad_request(f"the model {name!r} cannot be served: {error}")
    log.error("loading the model %s failed", name, exc_info=error)
    message = f"loading the model {name!r} failed: {type(error).__name__}"
    return RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, message)


def not_loaded(name: str) -> RequestError:
    """What is said of a model that is not there."""
    return RequestError(HTTPStatus.NOT_FOUND, f"the model {name!r:.100} is not loaded; GET /models lists what is")


def json_answer(document: object) -> Response:
    """200 with `document` as JSON."""
    return Response(status=HTTPStatus.OK, body=orjson.dumps(document))
