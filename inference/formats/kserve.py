"""The paths of KServe's V2 protocol (Open Inference Protocol), which Triton, MLServer and KServe's clients speak.

    GET  /v2                            the server
    GET  /v2/health/live, /v2/health/ready
    GET  /v2/models/NAME                the model's inputs and outputs
    GET  /v2/models/NAME/ready
    POST /v2/models/NAME/infer          what POST /invocations answers as well

They are there once the model is. NAME is the setting SLIPWAY_MODEL_NAME. https://kserve.github.io/website has the
protocol; versions in paths and gRPC are left out.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from inference.formats.kserve_service import outputs_of
from inference.formats.kserve_tensors import BYTES
from inference.http.messages import Handler, Request, Respond, Response
from inference.manifests.manifest import Manifest
from inference.manifests.records import CLASSIFICATIONS, GENERATION, REGRESSION
from inference.manifests.schema import TABLE, TEXT

PREFIX = "/v2/"
EXTENSIONS = ("binary_tensor_data", "classification")
PLATFORMS = {".pt2": "pytorch_export", ".onnx": "onnxruntime_onnx"}
FP32, ANY = "FP32", -1


def routes(invoke: Handler, manifest: Manifest, model_name: str) -> Mapping[str, Mapping[str, Handler]]:
    """Path -> method -> handler; `invoke` answers requests for inference."""
    model = f"{PREFIX}models/{model_name}"
    server = {"name": "slipway", "version": str(manifest.format_version), "extensions": EXTENSIONS}
    return {
        "/v2": {"GET": _constant(server)},
        f"{PREFIX}health/live": {"GET": _constant({"live": True})},
        f"{PREFIX}health/ready": {"GET": _constant({"ready": True})},
        model: {"GET": _constant(metadata(manifest, model_name))},
        f"{model}/ready": {"GET": _constant({"name": model_name, "ready": True})},
        f"{model}/infer": {"POST": invoke},
    }


def metadata(manifest: Manifest, model_name: str) -> dict[str, Any]:
    """The model's inputs and outputs; -1 is the number of instances. Of a generator those of images are told."""
    main = "encode" if manifest.task == GENERATION else "predict"
    suffix = next(suffix for suffix in PLATFORMS if manifest.programs[main].endswith(suffix))
    return {
        "name": model_name,
        "platform": PLATFORMS[suffix],
        "inputs": _inputs(manifest),
        "outputs": [_tensor(name, *_form(manifest, name)) for name in outputs_of(manifest, main)],
    }


def _inputs(manifest: Manifest) -> list[dict[str, Any]]:
    schema = manifest.input
    if schema.kind == TEXT:
        return [_tensor(schema.name, BYTES, ())]
    if schema.kind == TABLE:
        return [_tensor(column.name, BYTES if column.categories else FP32, ()) for column in schema.columns]
    return [_tensor(schema.name, FP32, schema.shape)]


def _form(manifest: Manifest, name: str) -> tuple[str, tuple[int, ...]]:
    """Datatype and shape of one instance's output."""
    if name == "label":
        return BYTES, ()
    if manifest.task in CLASSIFICATIONS:
        return FP32, (len(manifest.labels),)
    return FP32, (1,) if manifest.task == REGRESSION else (manifest.latent,)


def _tensor(name: str, datatype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [ANY, *shape]}


def _constant(document: object) -> Handler:
    body = orjson.dumps(document)

    def answer(request: Request, respond: Respond) -> None:
        respond(Response(status=HTTPStatus.OK, body=body))

    return answer
