"""What only torch.export can run is run by it, and nothing in a file from a stranger is executed on the way."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inference.artifact import ArtifactError
from inference.engines.program import GraphProgram, load_program
from tests.unit.inference.conftest import export
from tests.unit.inference.test_program import changed, changed_model


class Nested(nn.Module):
    """Has a graph inside its graph, and sizes that torch.export calculates."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.head(x.flatten(1)).float()
        return y.view(-1).view(x.shape[0] * 3).view(x.shape[0], 3)


@pytest.fixture(scope="session")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nested") / "model.pt2"
    torch.manual_seed(2)
    export(Nested(), torch.zeros(2, 2, 3), path)
    return path


def test_a_graph_within_a_graph_goes_to_torch_export(nested: Path) -> None:
    program, reference = load_program(nested), torch.export.load(str(nested)).module()
    assert not isinstance(program, GraphProgram)
    for count in (1, 2, 5):
        x = torch.randn(count, 2, 3)
        assert torch.equal(program(x), reference(x))


class Bomb:
    """Unpickling it makes the file `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_sample_inputs_are_never_unpickled(nested: Path, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    bomb = pickle.dumps(Bomb(trace))
    pickle.loads(bomb)
    assert trace.exists(), "the bomb works"
    trace.unlink()
    path = changed(nested, tmp_path / "model.pt2", {"sample_inputs/model.pt": lambda content: bomb})
    assert load_program(path)(torch.zeros(1, 2, 3)).shape == (1, 3)
    assert not trace.exists()


@pytest.mark.parametrize("table", ["model_weights_config.json", "model_constants_config.json"])
def test_pickled_tensors_are_refused(nested: Path, tmp_path: Path, table: str) -> None:
    def add(content: bytes) -> bytes:
        document = json.loads(content)
        document["config"]["bomb"] = {"path_name": "weight_0", "use_pickle": True, "is_param": False}
        return json.dumps(document).encode()

    with pytest.raises(ArtifactError, match="tensor 'bomb' is pickled, which is never loaded"):
        load_program(changed(nested, tmp_path / "model.pt2", {table: add}))


@pytest.mark.parametrize("file", ["custom_obj_0", "opaque_obj_0", "../../x"])
def test_objects_that_are_no_tensors_are_refused(nested: Path, tmp_path: Path, file: str) -> None:
    def add(content: bytes) -> bytes:
        return json.dumps({"config": {"thing": {"path_name": file, "use_pickle": False, "is_param": False}}}).encode()

    with pytest.raises(ArtifactError, match="tensor 'thing' is pickled"):
        load_program(changed(nested, tmp_path / "model.pt2", {"model_constants_config.json": add}))


def _sizes(document: Any) -> dict[str, Any]:
    sizes: dict[str, Any] = document["graph_module"]["graph"]["sym_int_values"]
    return next(iter(sizes.values()))["as_expr"]


def _rename_input(document: Any) -> None:
    text = json.dumps(document["graph_module"]).replace('"name": "x"', '"name": "x=print(1)"')
    document["graph_module"] = json.loads(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: _sizes(document).update(expr_str="__import__('os').system('x')"), "as expr_str"),
        (lambda document: _sizes(document).update(expr_str="eval(Symbol)"), "as expr_str"),
        (_rename_input, r"'x=print\(1\)' as name"),
        (
            lambda document: document["graph_module"]["graph"]["nodes"][0].update(target="torch.ops.aten.from_file.x"),
            r"torch\.ops\.aten\.from_file\.x' as target",
        ),
        (
            lambda document: document["graph_module"]["graph"]["nodes"][0].update(target="torch.hub.load"),
            r"torch\.hub\.load' as target",
        ),
    ],
)
def test_text_that_torch_would_evaluate_is_refused(
    nested: Path, tmp_path: Path, change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        load_program(changed_model(nested, tmp_path / "model.pt2", change))


def test_guards_and_metadata_are_left_out(nested: Path, tmp_path: Path) -> None:
    trace = tmp_path / "executed"

    def arm(document: Any) -> None:
        document["guards_code"] = [f"__import__('pathlib').Path({str(trace)!r}).touch() is None"]
        for node in document["graph_module"]["graph"]["nodes"]:
            node["metadata"] = {"stack_trace": "x", "source_fn_stack": "a,torch.hub.load", "custom": "{"}

    program = load_program(changed_model(nested, tmp_path / "model.pt2", arm))
    assert program(torch.zeros(2, 2, 3)).shape == (2, 3) and not trace.exists()


def test_operators_outside_aten_are_refused_by_name(tmp_path: Path) -> None:
    class Linear(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.relu()

    export(Linear(), torch.zeros(2, 3), tmp_path / "plain.pt2")
    for target in ("torch.ops.mine.relu.default", "os.system", "torch.ops.aten.from_file.default"):
        path = changed_model(
            tmp_path / "plain.pt2",
            tmp_path / "model.pt2",
            lambda document, target=target: document["graph_module"]["graph"]["nodes"][0].update(target=target),
        )
        with pytest.raises(ArtifactError, match=target):
            load_program(path)
