"""What stands in for a function that is left out: AWS's defaults, and an artifact's own program."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from inference.artifact import ArtifactError
from inference.http.messages import Response
from inference.user_code.model import load
from tests.unit.inference.user_code import (
    CSV,
    JSON,
    NPY,
    answer,
    document,
    request,
    with_code,
    write,
)

ROWS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
LINEAR = """
    import torch
    def model_fn(model_dir):
        model = torch.nn.Linear(3, 2)
        torch.nn.init.ones_(model.weight)
        torch.nn.init.zeros_(model.bias)
        return model
"""
# What input_fn made of the request: kind, dtype and shape, in place of a prediction.
DESCRIBE = """
    import torch
    def model_fn(model_dir): return None
    def predict_fn(data, model):
        return [type(data).__name__, str(data.dtype), list(data.shape), torch.is_inference_mode_enabled()]
"""


def npy(value: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(value))
    return buffer.getvalue()


def array(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    return np.load(io.BytesIO(response.body), allow_pickle=False)


@pytest.mark.parametrize(
    ("body", "content_type", "dtype", "shape"),
    [
        (ROWS, JSON, "float32", [2, 3]),
        ({"instances": ROWS}, JSON, "float32", [2, 3]),
        (5, f"{JSON}; charset=utf-8", "float32", []),
        (ROWS, "", "float32", [2, 3]),
        (b"1,2,3\n4,5,6\n", CSV, "float32", [2, 3]),
        (b"1,2,3\n", CSV, "float32", [3]),
        (npy(ROWS), NPY, "float64", [2, 3]),
        (npy(np.array([1, 2], ">i4")), NPY, "int32", [2]),
    ],
)
def test_the_default_input_is_a_tensor(
    tmp_path: Path, body: Any, content_type: str, dtype: str, shape: list[int]
) -> None:
    found = document(answer(with_code(tmp_path, DESCRIBE), request(body, content_type)))
    assert found == ["Tensor", f"torch.{dtype}", shape, False]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "said"),
    [
        (b"x", "image/png", 415, "content type 'image/png' is not supported; use application/json, text/csv"),
        (b"[[1", JSON, 400, "not JSON"),
        ([[1], [1, 2]], JSON, 400, "differ in length"),
        ([["a"]], JSON, 400, "other than numbers"),
        ({"rows": 1}, JSON, 400, "other than numbers"),
        (b"1,2\n3", CSV, 400, "not CSV of numbers"),
        (b"1,a", CSV, 400, "other than numbers"),
        (b"\x93NUMPY", NPY, 400, "not a .npy file"),
        (npy([None]), NPY, 400, "not a .npy file"),
        (npy(["text"]), NPY, 400, "not a .npy file of numbers"),
    ],
)
def test_what_the_default_input_cannot_read_is_the_clients_fault(
    tmp_path: Path, body: Any, content_type: str, status: int, said: str
) -> None:
    response = answer(with_code(tmp_path, DESCRIBE), request(body, content_type))
    assert response.status == status and said in document(response)["error"]


@pytest.mark.parametrize(
    ("accept", "media"), [("", JSON), ("*/*", JSON), ("text/csv", CSV), ("a/b, application/x-npy;q=0.5", NPY)]
)
def test_the_default_output_follows_accept(tmp_path: Path, accept: str, media: str) -> None:
    response = answer(with_code(tmp_path, LINEAR), request(ROWS, accept=accept))
    assert (response.status, response.content_type) == (200, media)
    if media == JSON:
        assert document(response) == [[6.0, 6.0], [15.0, 15.0]]
    elif media == CSV:
        assert response.body == b"6.0,6.0\n15.0,15.0\n"
    else:
        found = array(response)
        assert found.dtype == np.float32 and found.tolist() == [[6.0, 6.0], [15.0, 15.0]]


def test_an_accept_that_fits_nothing_is_406(tmp_path: Path) -> None:
    response = answer(with_code(tmp_path, LINEAR), request(ROWS, accept="image/png"))
    assert response.status == 406 and "application/x-npy" in document(response)["error"]


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ("{'a': torch.ones(2), 1: numpy.float32(2)}", {"a": [1.0, 1.0], "1": 2.0}),
        ("torch.ones(1, dtype=torch.bfloat16)", [1.0]),
        ("torch.ones(2, requires_grad=True)", [1.0, 1.0]),
        ("numpy.arange(6).reshape(2, 3).T", [[0, 3], [1, 4], [2, 5]]),
        ("['a', None, float('nan')]", ["a", None, None]),
    ],
)
def test_the_default_output_turns_tensors_into_lists_wherever_they_are(
    tmp_path: Path, prediction: str, expected: object
) -> None:
    code = f"""
        import numpy, torch
        def model_fn(model_dir): return None
        def input_fn(body, content_type): return None
        def predict_fn(data, model): return {prediction}
    """
    assert document(answer(with_code(tmp_path, code), request(b""))) == expected
    if "torch.ones(" in prediction and "{" not in prediction:
        assert array(answer(tmp_path, request(b"", accept=NPY))).tolist() == expected


@pytest.mark.parametrize("accept", [JSON, CSV, NPY])
def test_a_prediction_without_a_form_is_500_and_says_which_function_to_write(
    tmp_path: Path, accept: str, caplog: pytest.LogCaptureFixture
) -> None:
    code = """
        def model_fn(model_dir): return None
        def input_fn(body, content_type): return None
        def predict_fn(data, model): return object()
    """
    response = answer(with_code(tmp_path, code), request(b"", accept=accept))
    assert response.status == 500 and "write an output_fn" in caplog.text


def test_the_default_predict_takes_the_module_out_of_training_and_records_no_gradients(tmp_path: Path) -> None:
    code = """
        import torch
        class Model(torch.nn.Module):
            def forward(self, x): return [self.training, torch.is_inference_mode_enabled(), x.tolist()]
        def model_fn(model_dir): return Model()
    """
    assert document(answer(with_code(tmp_path, code), request([1]))) == [False, True, [1.0]]


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_one_torchscript_file_is_the_default_model_as_at_aws(tmp_path: Path) -> None:
    with_code(tmp_path, "def input_fn(body, content_type):\n    import torch\n    return torch.ones(1, 3)\n")
    with pytest.raises(ArtifactError, match=r"Please provide a model_fn implementation.*found: \['code'\]"):
        load(tmp_path, {})
    torch.jit.save(torch.jit.script(nn.Identity()), str(tmp_path / "any.pth"))
    assert document(answer(tmp_path, request(b""))) == [[1.0, 1.0, 1.0]]
    (tmp_path / "other.pt").write_bytes(b"not a model")
    with pytest.raises(ArtifactError, match=r"not one \.pt file"):
        load(tmp_path, {})
    (tmp_path / "other.pt").rename(tmp_path / "model.pt")
    with pytest.raises(ArtifactError, match="is not TorchScript"):
        load(tmp_path, {})


@pytest.mark.parametrize("body", ["instances", "list", "npy"])
def test_an_artifact_is_the_default_model_and_knows_its_requests(base: Path, model: nn.Module, body: str) -> None:
    folder = with_code(base / "model", "def predict_fn(data, model): return model(data) * 2\n")
    images = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    sent = {"instances": {"instances": images.tolist()}, "list": images.tolist(), "npy": npy(images)}[body]
    response = answer(folder, request(sent, NPY if body == "npy" else JSON))
    with torch.inference_mode():
        expected = model(torch.from_numpy(images)) * 2
    np.testing.assert_allclose(document(response), expected, atol=1e-5)


def test_a_request_that_breaks_the_artifacts_schema_is_told_so(base: Path) -> None:
    folder = with_code(base / "model", "def output_fn(prediction, accept): return 'x'\n")
    response = answer(folder, request({"instances": [[1]]}))
    assert response.status == 400 and "shape [4, 3]" in document(response)["error"]


def test_the_facts_of_an_artifact_with_code_are_of_both(base: Path) -> None:
    folder = with_code(base / "model", "def output_fn(prediction, accept): return 'x'\n")
    prepared = load(folder, {})
    artifact = prepared.loaded.model.artifact
    assert prepared.loaded.facts["task"] == "image-classification" and artifact.manifest.labels[0] == "zero"
    assert prepared.loaded.facts["version"].startswith(f"{artifact.version}-")
    assert str(prepared) == f"model {prepared.loaded.facts['version']} (user code {folder}/code/inference.py: " + (
        "input_fn, predict_fn, output_fn)"
    )


@pytest.mark.parametrize("keyword", ["", "async "])
def test_an_artifact_whose_example_fails_is_refused(base: Path, keyword: str) -> None:
    folder = with_code(base / "model", f"\n{keyword}def output_fn(prediction, accept):\n    return 1 / 0\n")
    if keyword:  # nobody can tell before there is the server's loop
        assert answer(folder, request({"instances": np.ones((1, 4, 3)).tolist()})).status == 500
        return
    message = r"inference.py:2: output_fn fails on the manifest's first example \(ZeroDivisionError"
    with pytest.raises(ArtifactError, match=message):
        load(folder, {})


def test_an_example_answered_with_an_error_is_refused_too(base: Path) -> None:
    code = """
        def output_fn(prediction, accept, context):
            context.set_response_status(500)
            return b""
    """
    with pytest.raises(ArtifactError, match="first example is answered with 500"):
        load(with_code(base / "model", code), {})


def test_an_own_input_fn_is_not_asked_with_the_manifests_examples(base: Path) -> None:
    code = """
        import torch
        def input_fn(body, content_type): return torch.full((1, 4, 3), float(body))
    """
    assert answer(with_code(base / "model", code), request(b"1.5", "text/plain")).status == 200


def test_a_broken_artifact_is_refused_whatever_the_code(base: Path) -> None:
    (base / "model" / "model.pt2").write_bytes(b"short")
    with pytest.raises(ArtifactError, match=r"model\.pt2 has 5 bytes"):
        load(with_code(base / "model", "def model_fn(model_dir): return print\n"), {})
    write(base / "model", {"manifest.json": '{"name": "not ours"}'})
    load(base / "model", {})
