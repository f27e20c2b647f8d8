"""What is in the exported files: the trained model, for any batch size, and nothing of the machine that wrote them."""

import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from tests.unit.training.export import zoo
from tests.unit.training.export.conftest import (
    CALIBRATION_ROWS,
    FORMS,
    ONNX_FP32,
    ONNX_INT8,
    PT2,
    PT2_BF16,
    Exported,
)
from training.export.errors import ExportError
from training.export.exporter import Exporter, Untrained
from training.export.forms import Form
from training.export.onnx import OPSET
from training.export.parity import Reference, compare
from training.export.programs import fill

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", list(zoo.KINDS))
def test_every_kind_in_every_form_is_the_trained_model_for_any_batch(exported: Exported, kind: str, form: Form) -> None:
    module = zoo.trained(kind)
    for count in (33, 2, 1):
        rows = zoo.batch(kind, count)
        with torch.inference_mode():
            outputs = module(torch.from_numpy(rows)).numpy()
        reference = Reference(inputs=rows, outputs=outputs, are_scores=kind != "line")
        if count > 1:
            compare(form, kind, lambda rows: exported.run(kind, form, rows), reference, 0.0)
        assert exported.run(kind, form, rows).dtype == np.float32


def test_reduced_precision_is_reduced(exported: Exported) -> None:
    sizes = {form: exported.path("attention", form).stat().st_size for form in FORMS}
    assert sizes[ONNX_INT8] < 0.6 * sizes[ONNX_FP32]
    with zipfile.ZipFile(exported.path("recurrent", PT2_BF16)) as archive:
        weights = sum(entry.file_size for entry in archive.infolist() if "/weights/weight_" in entry.filename)
    assert weights == 2 * sum(value.numel() for value in zoo.trained("recurrent").parameters())
    rows = zoo.batch("convolutions", 8)
    exact, *reduced = (exported.run("convolutions", form, rows) for form in (PT2, PT2_BF16, ONNX_INT8))
    assert all(np.abs(found - exact).max() > 1e-5 for found in reduced)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", list(zoo.KINDS))
def test_no_path_of_the_machine_is_in_the_bytes(exported: Exported, kind: str, form: Form) -> None:
    content = exported.path(kind, form).read_bytes()
    machine = {str(ROOT), str(Path.home()), sys.prefix, sysconfig.get_path("purelib"), tempfile.gettempdir(), ".py"}
    assert [path for path in machine if path.encode() in content] == []


def test_weights_that_nobody_reads_are_left_out(exported: Exported) -> None:
    unread = 4 * zoo.Line().unread.weight.numel()
    assert all(exported.path("line", form).stat().st_size < unread / 2 for form in FORMS)


def test_onnx_is_pinned_and_its_names_speak(exported: Exported) -> None:
    model = onnx.load(exported.path("attention", ONNX_FP32))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert [model.graph.input[0].name, model.graph.output[0].name] == ["input", "output"]
    assert "embedding.weight" in [constant.name for constant in model.graph.initializer]
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_lstm_weights_are_whole_and_quantised(exported: Exported) -> None:
    graph = onnx.load(exported.path("recurrent", ONNX_FP32)).graph
    (layer,) = (node for node in graph.node if node.op_type == "LSTM")
    assert set(layer.input[1:4]) <= {constant.name for constant in graph.initializer}
    reduced = onnx.load(exported.path("recurrent", ONNX_INT8))
    assert "DynamicQuantizeLSTM" in {node.op_type for node in reduced.graph.node}


def test_the_same_model_gives_the_same_bytes_in_another_process(exported: Exported, tmp_path: Path) -> None:
    forms = (ONNX_INT8, PT2)
    exporter = Exporter(forms, zoo.build)
    try:
        exporter.trace(("line",))
        calibration = {"line": zoo.batch("line", CALIBRATION_ROWS)}
        files = exporter.write({"line": zoo.trained("line")}, calibration, tmp_path)
    finally:
        exporter.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files) == ["line.onnx", "line.pt2"]
    for form in forms:
        assert (tmp_path / form.file_name("line")).read_bytes() == exported.path("line", form).read_bytes()


class FixedBatch(torch.nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.reshape(2, -1)


def _fixed(_: object) -> dict[str, Untrained]:
    return {"predict": Untrained(module=FixedBatch(), dtype=torch.float32, shape=(4,))}


def test_a_model_for_one_batch_size_is_refused(tmp_path: Path) -> None:
    exporter = Exporter((PT2,), _fixed)
    try:
        exporter.trace(None)
        with pytest.raises(ExportError, match=r"program 'predict' cannot be traced .* must not depend on the batch"):
            exporter.write({"predict": FixedBatch()}, {}, tmp_path)
    finally:
        exporter.close()


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(ExportError, match=r"weight 'layers.0.weight' is of shape \(2, 2\), expected \(32, 4\)"):
        fill("predict", zoo.Line(), {**zoo.Line().state_dict(), "layers.0.weight": torch.zeros(2, 2)})
    with pytest.raises(ExportError, match=r"weight '0.weight' is missing"):
        fill("predict", zoo.Line().layers, {})
