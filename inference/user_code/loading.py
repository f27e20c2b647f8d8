"""Loading a user's code: import it, fill in the defaults, make the model, and let it answer an example."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson

from inference import artifact as artifacts
from inference.artifact import Artifact
from inference.http.messages import Request
from inference.manifests.fields import ArtifactError
from inference.metrics import Metrics, SharedTable
from inference.user_code import defaults
from inference.user_code.answer import call_of, response_of
from inference.user_code.context import Context, system_properties
from inference.user_code.find import Code, import_program, refused, version_of
from inference.user_code.functions import Function, FunctionError, read_functions
from inference.user_code.pipeline import Pipeline

ENGINE = "user code"
CUSTOM = "custom"  # the task of a model that has no manifest
DEFAULT_ACCEPT = "application/json"
SERVING = ("transform_fn", "input_fn", "predict_fn", "predict_batch_fn", "output_fn")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A user's model that can be served; `functions` are those that requests need, `properties` the contexts'."""

    code: Code
    facts: Mapping[str, str]
    functions: Mapping[str, Function]
    model: Any
    thread: Executor
    max_batch: int
    properties: dict[str, Any]
    default_accept: str

    def pipeline(self, metrics: Metrics) -> Pipeline:
        """The functions in a row, counted in `metrics`."""
        return Pipeline(self.functions, self.model, self.thread, self.max_batch, metrics)


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Loads the model in `folder`; `thread` is the model's, `loop` the server's where it has one already."""

    folder: Path
    code: Code
    environ: Mapping[str, str]
    thread: Executor
    loop: asyncio.AbstractEventLoop | None
    max_batch: int

    def load(self) -> Loaded:
        """Everything from the import to the answer to an example; raises ArtifactError.

        To be called on neither the model's thread nor the loop's: it waits for both.
        """
        functions = self.thread.submit(lambda: read_functions(import_program(self.code))).result()
        artifact = _artifact(self.folder)
        complete = self._complete(functions, artifact)
        properties = system_properties(self.folder, self.max_batch if "predict_batch_fn" in functions else 1)
        model = self._model(complete, Context(properties))
        loaded = Loaded(
            code=self.code,
            facts=_facts(self.code, artifact),
            functions={name: complete[name] for name in SERVING if name in complete},
            model=model,
            thread=self.thread,
            max_batch=self.max_batch,
            properties=properties,
            default_accept=self.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or DEFAULT_ACCEPT,
        )
        if artifact is not None and not {"input_fn", "transform_fn"} & set(functions):
            self._prove(loaded, artifact)
        return loaded

    def _complete(self, functions: Mapping[str, Function], artifact: Artifact | None) -> dict[str, Function]:
        """The user's functions, and the defaults for what is missing."""
        complete = {"model_fn": _default("model_fn", defaults.DefaultModel(self.folder, artifact)), **functions}
        if "transform_fn" in functions:
            return complete
        on_cpu = artifact is not None and "model_fn" not in functions
        complete.setdefault("input_fn", _default("input_fn", defaults.DefaultInput(artifact, on_cpu=on_cpu)))
        complete.setdefault("output_fn", _default("output_fn", defaults.output))
        if "predict_batch_fn" not in functions:
            complete.setdefault("predict_fn", _default("predict_fn", defaults.predict))
        return complete

    def _model(self, functions: Mapping[str, Function], context: Context) -> Any:
        folder = str(self.folder)
        if "pre_model_fn" in functions:
            self._call(functions["pre_model_fn"], context, folder)
        model = self._call(functions["model_fn"], context, folder)
        if "predict_fn" in functions and functions["predict_fn"].body is defaults.predict:
            model = self.thread.submit(defaults.ready_for_predict, model).result()
            if not callable(model):
                kind = type(model).__name__
                raise ArtifactError(
                    f"{self.code.program}: model_fn returned a {kind}, which cannot be called; define predict_fn"
                )
        if "model_warmup_fn" in functions:
            self._call(functions["model_warmup_fn"], context, folder, model)
        return model

    def _call(self, function: Function, context: Context, *arguments: Any) -> Any:
        try:
            if function.is_async:
                return self._wait(function.wait(context, *arguments))
            return self.thread.submit(function, context, *arguments).result()
        except FunctionError as error:
            if isinstance(error.cause, ArtifactError):
                raise error.cause from None
            raise refused(self.code, f"{function.name} fails", error.cause) from error

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of `coroutine` on the server's loop, since what it opens may belong to the loop."""
        if self.loop is None:
            return asyncio.run(coroutine)
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def _prove(self, loaded: Loaded, artifact: Artifact) -> None:
        """Send the manifest's first example through; raises ArtifactError where it is not answered with 200."""
        if self.loop is None and any(function.is_async for function in loaded.functions.values()):
            return  # what they open would belong to a loop that ends with the proof
        body = orjson.dumps({"instances": [artifact.manifest.examples[0].instance]})
        headers = {"content-type": "application/json"}
        request = Request(method="POST", path="/invocations", headers=headers, body=body)
        call = call_of(request, loaded.properties, loaded.default_accept)
        try:
            response = response_of(self._wait(loaded.pipeline(Metrics(SharedTable(rows=1))).run(call)), call)
        except FunctionError as error:
            raise refused(self.code, f"{error.function} fails on the manifest's first example", error.cause) from error
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise ArtifactError(f"{self.code.program}: the manifest's first example is answered with {response.status}")


def limit_threads(threads: int) -> None:
    """Let PyTorch compute on `threads` threads, imported already or not yet."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _default(name: str, body: Any) -> Function:
    return Function(name=name, body=body)


def _artifact(folder: Path) -> Artifact | None:
    """The artifact of ours in `folder`; None where there is none, or where manifest.json is somebody else's.

    Raises ArtifactError where it is ours and broken.
    """
    try:
        document = orjson.loads((folder / artifacts.MANIFEST_NAME).read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and "format_version" not in document:
        return None
    return artifacts.load(folder)


def _facts(code: Code, artifact: Artifact | None) -> dict[str, str]:
    version = version_of(code)
    if artifact is None:
        return {"engine": ENGINE, "version": version, "task": CUSTOM}
    return {"engine": ENGINE, "version": f"{artifact.version}-{version}", "task": artifact.manifest.task}
