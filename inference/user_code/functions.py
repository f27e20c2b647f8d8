"""The functions that a user's module may define, checked when it is loaded, and their failures.

| function | arguments | what it is for |
| --- | --- | --- |
| pre_model_fn | model_dir | runs before model_fn |
| model_fn | model_dir | returns the model |
| model_warmup_fn | model_dir, model | runs before the first request |
| input_fn | request_body, content_type | returns the data |
| predict_fn | data, model | returns the prediction |
| predict_batch_fn | list of data, model | returns the list of their predictions, in place of predict_fn |
| output_fn | prediction, accept | returns the body, or (body, content type) |
| transform_fn | model, request_body, content_type, accept | does the work of the three |

Each may take one argument more, the context (predict_batch_fn: the list of contexts), and each may be `async def`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from inference.manifests.fields import ArtifactError
from inference.user_code.context import Context

ARGUMENTS = {
    "pre_model_fn": ("model_dir",),
    "model_fn": ("model_dir",),
    "model_warmup_fn": ("model_dir", "model"),
    "input_fn": ("request_body", "content_type"),
    "predict_fn": ("data", "model"),
    "predict_batch_fn": ("list_of_data", "model"),
    "output_fn": ("prediction", "accept"),
    "transform_fn": ("model", "request_body", "content_type", "accept"),
}
EXCLUDED_BY_TRANSFORM = ("input_fn", "predict_fn", "predict_batch_fn", "output_fn")
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class FunctionError(Exception):
    """A function failed on a request, by its own exception: the cause. Also where that was StopIteration or SystemExit,
    which would end what waits for it.
    """

    def __init__(self, function: str, cause: BaseException) -> None:
        self.function, self.cause, self.message = function, cause, _said(cause)
        super().__init__(f"{function} failed: {type(cause).__name__}: {self.message}")


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function of the user's, or the default in its place; `name` is for messages."""

    name: str
    body: Callable[..., Any]
    takes_context: bool = False
    is_async: bool = False

    def __call__(self, context: Any, *arguments: Any) -> Any:
        """What it returns; of an async one, the coroutine. Raises FunctionError."""
        try:
            return self.body(*arguments, context) if self.takes_context else self.body(*arguments)
        except (Exception, SystemExit) as error:
            raise FunctionError(self.name, error) from error

    async def wait(self, context: Any, *arguments: Any) -> Any:
        """The result of an async one. Raises FunctionError."""
        try:
            return await self(context, *arguments)
        except (Exception, SystemExit) as error:
            raise error if isinstance(error, FunctionError) else FunctionError(self.name, error) from error


@dataclass(kw_only=True, slots=True)
class Call:
    """One request as the functions see it: `body` is str for JSON and CSV; `content_type` None where none was sent.

    `seconds` are those that each function has taken so far.
    """

    body: bytes | str
    content_type: str | None
    accept: str
    context: Context
    seconds: dict[str, float] = field(default_factory=dict)

    def spend(self, function: Function, seconds: float) -> None:
        """The time of a function that has run."""
        self.seconds[function.name] = seconds


def read_functions(module: ModuleType) -> dict[str, Function]:
    """The module's functions by name; raises ArtifactError where they do not fit together or take other arguments."""
    file = module.__file__
    found = {name: value for name in ARGUMENTS if (value := getattr(module, name, None)) is not None}
    others = [name for name in EXCLUDED_BY_TRANSFORM if name in found]
    if "transform_fn" in found and others:
        raise ArtifactError(
            f"{file} defines transform_fn and {', '.join(others)}; transform_fn does the work of the others: keep one "
            "or the others"
        )
    return {name: _function(name, body, str(file)) for name, body in found.items()}


def _said(error: BaseException) -> str:
    """The message of an exception, which a user may have written: its own, or what AWS's toolkit calls so."""
    try:
        text = str(getattr(error, "message", None) or error)
    except Exception:
        return ""
    return text.encode("utf-8", "replace").decode()


def _function(name: str, body: Any, file: str) -> Function:
    if not callable(body):
        raise ArtifactError(f"{file}: {name} is {body!r:.100}, not a function; define it with def, or rename it")
    takes_context = _takes_context(name, body, file)
    is_async = inspect.iscoroutinefunction(body) or inspect.iscoroutinefunction(type(body).__call__)
    return Function(name=name, body=body, takes_context=takes_context, is_async=is_async)


def _takes_context(name: str, body: Callable[..., Any], file: str) -> bool:
    """As AWS's toolkit decides it: by the number of parameters, whatever their names."""
    try:
        parameters = list(inspect.signature(body).parameters.values())
    except ValueError:  # a builtin without a signature
        return False
    arguments = ARGUMENTS[name]
    plain = [parameter for parameter in parameters if parameter.kind not in VARIADIC]
    if len(plain) < len(parameters) and len(plain) <= len(arguments):  # *args or **kwargs take what is left
        return False
    if len(plain) not in (len(arguments), len(arguments) + 1):
        shown = ", ".join(parameter.name for parameter in plain)
        wanted = ", ".join(arguments)
        raise ArtifactError(
            f"{file}: {name} takes ({shown}); expected ({wanted}) or ({wanted}, context), whatever the names"
        )
    return len(plain) == len(arguments) + 1
