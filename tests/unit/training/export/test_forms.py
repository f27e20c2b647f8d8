"""Which files the options ask for."""

import pytest

from training.export.forms import chosen
from training.options import ExportOptions


@pytest.mark.parametrize(
    ("formats", "precision", "expected"),
    [
        ("pt2", "fp32", ["torch.export fp32"]),
        ("onnx", "fp32", ["onnx fp32"]),
        ("pt2+onnx", "fp32", ["torch.export fp32", "onnx fp32"]),
        ("pt2", "bf16", ["torch.export bf16"]),
        ("pt2+onnx", "bf16", ["torch.export bf16", "onnx fp32"]),
        ("onnx", "bf16", ["torch.export bf16", "onnx fp32"]),
        ("pt2+onnx", "int8", ["onnx int8", "torch.export fp32"]),
        ("pt2", "int8", ["onnx int8", "torch.export fp32"]),
        ("onnx", "int8", ["onnx int8"]),
    ],
)
def test_the_served_form_comes_first_and_each_format_once(formats: str, precision: str, expected: list[str]) -> None:
    forms = chosen(ExportOptions(formats=formats, served_precision=precision))
    assert [str(form) for form in forms] == expected


def test_files_are_named_after_the_program() -> None:
    served, beside = chosen(ExportOptions(formats="pt2+onnx"))
    assert [served.file_name("predict"), beside.file_name("predict")] == ["model.pt2", "model.onnx"]
    assert served.file_name("decode") == "decode.pt2"
