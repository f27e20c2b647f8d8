"""What stands in for a function that a user's module leaves out: AWS's defaults for PyTorch, on artifacts of ours too.

| function | with an artifact of `train`'s | else, as in AWS's container |
| --- | --- | --- |
| model_fn | its program, an ArtifactModel | the one TorchScript file (*.pt, *.pth) in the folder |
| input_fn | whatever its requests may be, and plain JSON lists | JSON, CSV (float32), npy (its own dtype) -> tensor |
| predict_fn | the model on the data, in inference mode | the same |
| output_fn | JSON (nested lists), CSV or npy, by Accept | the same |

Unlike AWS's, a .npy file with pickled objects is refused, and {"instances": [...]} is read as the list in it.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.artifact import Artifact
from inference.formats.decode import choose, decoders
from inference.http.errors import bad_request
from inference.http.negotiate import negotiate
from inference.manifests.fields import ArtifactError

if TYPE_CHECKING:
    from torch import Tensor

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
SUFFIXES = (".pt", ".pth")
ADVICE = "Please provide a model_fn implementation (model_fn(model_dir) returns the model)"
Body = bytes | str


class ArtifactModel:
    """An artifact's programs on tensors, on the CPU.

    `model(batch)` is the program `predict` (a generator's `encode`), `model.run("decode", latents)` any other;
    `model.artifact` has the labels, the schema and the tokenizer.
    """

    def __init__(self, artifact: Artifact) -> None:
        """Raises ArtifactError where a program cannot be loaded."""
        self.artifact = artifact
        self._programs = {name: self._program(name) for name in artifact.manifest.programs}
        self._main = self._programs.get("predict") or self._programs["encode"]

    def __call__(self, batch: "Tensor") -> "Tensor":
        """Outputs float32 (N, ...) for (N, *shape) of the schema's dtype."""
        return self._main(batch)

    def run(self, name: str, batch: "Tensor") -> "Tensor":
        """The outputs of the program `name`."""
        return self._programs[name](batch)

    def _program(self, name: str) -> Any:
        import torch

        artifact = self.artifact
        if artifact.path(name).suffix == ".pt2":
            return artifact.program(name)
        return lambda batch: torch.from_numpy(artifact.run(name, batch.numpy()))


class DefaultModel:
    """model_fn's stand-in."""

    def __init__(self, folder: Path, artifact: Artifact | None) -> None:
        self._folder, self._artifact = folder, artifact

    def __call__(self, model_dir: str) -> Any:
        """The artifact's programs, or the one TorchScript file; raises ArtifactError where there is neither."""
        if self._artifact is not None:
            return ArtifactModel(self._artifact)
        files = sorted(path for path in self._folder.iterdir() if path.suffix in SUFFIXES)
        if len(files) > 1:
            files = [path for path in files if path.name == "model.pt"]
        if len(files) != 1:
            found = sorted(path.name for path in self._folder.iterdir())
            raise ArtifactError(f"{ADVICE}: {self._folder} has no manifest.json and not one .pt file (found: {found})")
        return _torchscript(files[0])


class DefaultInput:
    """input_fn's stand-in; `on_cpu` where the model is there whatever else this machine has."""

    def __init__(self, artifact: Artifact | None, *, on_cpu: bool) -> None:
        self._table = decoders(artifact.manifest.input, artifact.tokenizer()) if artifact else {}
        self._on_cpu = on_cpu

    def __call__(self, body: Body, content_type: str | None) -> Any:
        """A tensor; raises RequestError, 415 for a content type that it does not know."""
        import torch

        raw = body.encode() if isinstance(body, str) else body
        own = self._table and not _is_list(raw, content_type)
        table = self._table if own else {JSON: _json, CSV: _csv, NPY: _npy}
        array = choose(table, content_type or JSON)(raw)
        return torch.from_numpy(array).to("cpu" if self._on_cpu else _device())


def predict(data: Any, model: Any) -> Any:
    """predict_fn's stand-in."""
    import torch

    with torch.inference_mode():
        return model(data)


def ready_for_predict(model: Any) -> Any:
    """What AWS's predict_fn does with a module on every call: to the GPU where there is one, and out of training."""
    import torch

    if isinstance(model, torch.nn.Module):
        return model.to(_device()).eval()
    return model


def output(prediction: Any, accept: str) -> tuple[bytes, str]:
    """output_fn's stand-in: (body, content type). Raises RequestError 406 where Accept fits none of the three."""
    media = negotiate(accept, (JSON, CSV, NPY))
    if media == JSON:
        options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
        return orjson.dumps(prediction, _as_list, options), media
    array = _as_array(prediction)
    if media == NPY:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return buffer.getvalue(), media
    text = io.StringIO()
    np.savetxt(text, array, delimiter=",", fmt="%s")
    return text.getvalue().encode(), media


def _torchscript(path: Path) -> Any:
    import torch

    try:
        return torch.jit.load(str(path), map_location=_device()).eval()
    except RuntimeError as error:
        raise ArtifactError(f"{ADVICE}: {path} is not TorchScript ({str(error)[:200]})") from error


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _is_list(raw: bytes, content_type: str | None) -> bool:
    """Whether the body is a JSON list, which AWS's users send."""
    media = (content_type or JSON).partition(";")[0].strip().lower()
    return media == JSON and raw.lstrip()[:1] == b"["


def _json(raw: bytes) -> NDArray[np.float32]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON ({error}); send nested lists of numbers") from None
    return _float32(document["instances"] if isinstance(document, dict) and "instances" in document else document)


def _csv(raw: bytes) -> NDArray[np.float32]:
    """Rows of numbers (N, columns); one row is (columns,), which is numpy's habit and so AWS's."""
    try:
        return _float32(np.genfromtxt(io.StringIO(raw.decode()), dtype=None, delimiter=",", encoding="utf-8"))
    except ValueError as error:
        raise bad_request(f"the body is not CSV of numbers ({str(error).strip()[:200]})") from None


def _float32(value: Any) -> NDArray[np.float32]:
    try:
        array = np.array(value)
    except ValueError:
        raise bad_request("the numbers' lists differ in length; send rows of one length") from None
    if array.dtype.kind not in "iufb":
        raise bad_request("the body holds something other than numbers; send nested lists of numbers, or CSV")
    return array.astype(np.float32)


def _npy(raw: bytes) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(io.BytesIO(raw), allow_pickle=False)
    except (ValueError, EOFError, SyntaxError) as error:
        raise bad_request(f"the body is not a .npy file of numbers ({str(error)[:200]})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iufb":
        raise bad_request("the body is not a .npy file of numbers")
    return array.astype(array.dtype.newbyteorder("="))


def _as_list(value: Any) -> Any:
    """For JSON: tensors and arrays as nested lists, wherever they are."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be JSON; write an output_fn")


def _as_array(prediction: Any) -> NDArray[Any]:
    """A tensor with its dtype (bfloat16, which numpy has not, as float32), or anything that numpy takes."""
    if hasattr(prediction, "detach"):
        tensor = prediction.detach().cpu()
        return np.asarray(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)
    array = np.asarray(prediction)
    if array.dtype.kind not in "iufbU":
        raise TypeError(f"a prediction of type {type(prediction).__name__} is no array; write an output_fn")
    return array
