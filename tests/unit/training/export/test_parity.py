"""What counts as the same model, and what is said where it is another one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.training.export.conftest import ONNX_INT8, PT2, PT2_BF16
from training.export.errors import ExportError
from training.export.parity import Reference, compare

INPUTS = np.zeros((4, 2), np.float32)
SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55]], np.float32)
VALUES = np.array([[2000.0], [2010.0], [1990.0], [2003.0]], np.float32)


def _scores() -> Reference:
    return Reference(inputs=INPUTS, outputs=SCORES, are_scores=True)


def _values() -> Reference:
    return Reference(inputs=INPUTS, outputs=VALUES, are_scores=False)


def _off(reference: Reference, difference: float) -> NDArray[np.float32]:
    outputs = reference.outputs.copy()
    outputs[3, 0] += difference
    return outputs


def test_facts_of_a_form_within_its_tolerance() -> None:
    parity = compare(ONNX_INT8, "predict", lambda _: _off(_scores(), 0.099), _scores(), 0.0)
    assert parity.max_difference == pytest.approx(0.099, abs=1e-6)
    assert (parity.tolerance, parity.agreement) == (0.1, 1.0)
    parity = compare(PT2_BF16, "predict", lambda _: _off(_values(), 0.3), _values(), 0.0)
    assert parity.agreement is None
    assert parity.tolerance == pytest.approx(0.02 * 20 + 1e-6 * 2010)


def test_a_form_outside_is_refused_with_form_difference_tolerance_and_option() -> None:
    with pytest.raises(ExportError) as caught:
        compare(ONNX_INT8, "predict", lambda _: _off(_scores(), 0.2), _scores(), 0.0)
    assert str(caught.value) == (
        "onnx int8 program 'predict' differs from the trained model by 0.2 on 4 held-out examples (75.0% have the same "
        "label), allowed is 0.1; set served_precision to fp32, or allow more with max_export_difference"
    )
    with pytest.raises(ExportError, match="allowed is 1e-05; allow more with max_export_difference"):
        compare(PT2, "predict", lambda _: _off(_scores(), 2e-5), _scores(), 0.0)


def test_the_option_decides_where_it_is_set() -> None:
    assert compare(PT2, "predict", lambda _: _off(_scores(), 0.2), _scores(), 0.3).agreement == 0.75
    with pytest.raises(ExportError, match=r"allowed is 0.01;"):
        compare(ONNX_INT8, "predict", lambda _: _off(_scores(), 0.02), _scores(), 0.01)


def test_values_far_from_zero_may_round() -> None:
    rounded = VALUES + np.float32(0.0012)
    assert compare(PT2, "predict", lambda _: rounded, _values(), 0.0).max_difference > 0
    with pytest.raises(ExportError, match="differs"):
        compare(PT2, "predict", lambda _: VALUES + np.float32(0.004), _values(), 0.0)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_is_never_the_same(wrong: float) -> None:
    with pytest.raises(ExportError, match="differs from the trained model"):
        compare(ONNX_INT8, "predict", lambda _: _off(_scores(), wrong), _scores(), 1.0)


def test_another_shape_is_refused() -> None:
    with pytest.raises(ExportError, match=r"gives outputs of shape \(4, 1\), the trained model gives \(4, 2\)"):
        compare(PT2, "predict", lambda _: SCORES[:, :1], _scores(), 0.0)
