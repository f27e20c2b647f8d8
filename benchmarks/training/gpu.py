"""The loop on a GPU: ResNet-9 in bf16, plain and compiled, against the bare loop and against what the GPU could do.

    python benchmarks/training.py --only gpu

Share of peak = floating-point operations of forward and backward pass for one example x examples a second / peak, as
PaLM defines model FLOPs utilisation (arXiv 2204.02311, appendix B). The operations are counted by
torch.utils.flop_counter (two for a multiply-add; convolutions and matrix products only), the peak is that of NVIDIA's
data sheet for dense bf16.
"""

from collections.abc import Iterator

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import table
from benchmarks.training.problems import Problem, problem
from benchmarks.training.steady import FLOOR, RUN_STEPS, measure

ROWS, BATCH_SIZE = 16_384, 512
COUNTED = 2  # examples
# Part of torch.cuda.get_device_name -> operations a second, from NVIDIA's data sheets (half of those "with sparsity")
PEAKS = {
    "H200": 989.5e12,
    "H100 80GB HBM3": 989.5e12,
    "H100 PCIe": 756e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
}
COLUMNS = (
    "settings",
    "bare, us a step",
    "ours / bare",
    "ours, examples a second",
    "ours, share of peak",
    "quiet",
    "floor",
)


def show(rounds: int) -> None:
    """Measure and print, or say that there is nothing to measure on."""
    if not torch.cuda.is_available():
        print("\n### GPU\n\nno GPU here: not measured", flush=True)
        return
    name = torch.cuda.get_device_name()
    peak = next((value for part, value in PEAKS.items() if part in name), None)
    known = f"peak {peak / 1e12:.0f} TFLOPS of dense bf16" if peak else "its peak is not in benchmarks/training/gpu.py"
    about = f"{name} ({known}); ResNet-9 on 3x32x32, batch {BATCH_SIZE}."
    table.show("GPU", about, COLUMNS, rows(rounds, torch.device("cuda"), peak))


def rows(rounds: int, device: torch.device, peak: float | None) -> Iterator[list[str]]:
    """One for each setting."""
    chosen = problem("resnet9").repeated(ROWS).having(batch_size=BATCH_SIZE, precision="bf16").lasting(RUN_STEPS)
    operations = operations_per_example(chosen)
    for compiled in (False, True):
        ours = measure(chosen.having(compile=compiled), rounds, device).ours
        rate = BATCH_SIZE / ours.step_us * 1e6
        yield [
            "bf16, compiled" if compiled else "bf16",
            f"{ours.step_us - ours.extra_us:.0f}",
            ours.ratio_cell(),
            f"{rate:.0f}",
            f"{operations * rate / peak:.1%}" if peak else "unknown",
            ours.load_cell(),
            ours.verdict(FLOOR),
        ]


def operations_per_example(chosen: Problem) -> float:
    """Of forward and backward pass."""
    model = chosen.network().model
    shape = model_input(chosen)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(COUNTED, *shape)).sum().backward()
    return counter.get_total_flops() / COUNTED


def model_input(chosen: Problem) -> tuple[int, ...]:
    """Shape of one preprocessed image."""
    height, width, channels = chosen.data.input.shape
    return channels, height, width
