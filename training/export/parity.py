"""Parity: an exported form against the trained model on held-out examples, refused where they differ by too much.

What is compared is each output: scores as they are; values, codes and pixels as a share of the range they span.

| precision | allowed | most that was seen | why they differ |
| --- | --- | --- | --- |
| fp32 | 1e-5 | 9e-7 | another order of additions |
| bf16 | 0.02 | 0.0065 | 8 significant bits in every product |
| int8 | 0.1 | 0.03 | 7 bits in every weight, 8 in every activation |

Seen with eight models trained on real data, each of the registry's networks; 99.8% of the labels or more stayed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.export.errors import ExportError
from training.export.forms import BF16, FP32, INT8, Form

Outputs = NDArray[np.float32]
Run = Callable[[NDArray[Any]], Outputs]

TOLERANCES = {FP32: 1e-5, BF16: 0.02, INT8: 0.1}
ROUNDING = 1e-6  # 8 times float32's epsilon, as a share of the largest value: a mean of 2000 cannot be had to 1e-5


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the trained model gives: `outputs` float32 (n, ...) of `inputs` (n, ...), scores or other numbers."""

    inputs: NDArray[Any]
    outputs: Outputs
    are_scores: bool


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far a form is from the trained model. `agreement` is the share of examples with the same label."""

    outputs: Outputs
    max_difference: float
    tolerance: float
    agreement: float | None


def compare(form: Form, program: str, run: Run, reference: Reference, max_export_difference: float) -> Parity:
    """Run the exported `program` on the reference's inputs; raises ExportError where it is off by more than allowed.

    `max_export_difference` is the option: 0 means by precision.
    """
    outputs = run(reference.inputs)
    if outputs.shape != reference.outputs.shape:
        raise ExportError(
            f"{form} program {program!r} gives outputs of shape {outputs.shape}, the trained model gives "
            f"{reference.outputs.shape}; leave this form out of the option formats"
        )
    tolerance = _tolerance(reference, max_export_difference or TOLERANCES[form.precision])
    difference = float(np.abs(outputs - reference.outputs).max())
    same = np.argmax(outputs, axis=1) == np.argmax(reference.outputs, axis=1) if reference.are_scores else None
    agreement = None if same is None else float(same.mean())
    if not difference <= tolerance:
        raise ExportError(_refusal(form, program, difference, tolerance, agreement, len(outputs)))
    return Parity(outputs=outputs, max_difference=difference, tolerance=tolerance, agreement=agreement)


def _tolerance(reference: Reference, share: float) -> float:
    """In units of the output: a score is itself a share."""
    if reference.are_scores:
        return share
    outputs = reference.outputs
    return share * float(outputs.max() - outputs.min()) + ROUNDING * float(np.abs(outputs).max())


def _refusal(form: Form, program: str, difference: float, tolerance: float, agreement: float | None, count: int) -> str:
    labels = "" if agreement is None else f" ({agreement:.1%} have the same label)"
    smaller = "" if form.precision == FP32 else "set served_precision to fp32, or "
    return (
        f"{form} program {program!r} differs from the trained model by {difference:g} on {count} held-out examples"
        f"{labels}, allowed is {tolerance:g}; {smaller}allow more with max_export_difference"
    )
