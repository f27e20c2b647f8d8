"""In which forms a model leaves a job: a format and a precision each, the served one first.

| format | fp32 | bf16 | int8 |
| --- | --- | --- | --- |
| torch.export (`.pt2`) | yes | yes: CPUs and GPUs that multiply bfloat16 are up to twice as fast | - |
| ONNX (`.onnx`) | yes | - (onnxruntime has no bfloat16 convolution on CPUs) | yes: a quarter of the size |
"""

from dataclasses import dataclass

from training.options import ExportOptions

TORCH_EXPORT, ONNX = "torch.export", "onnx"
FP32, BF16, INT8 = "fp32", "bf16", "int8"
SUFFIXES = {TORCH_EXPORT: ".pt2", ONNX: ".onnx"}
_FORMATS = {suffix.removeprefix("."): name for name, suffix in SUFFIXES.items()}  # as the option `formats` says it
_ONLY_FORMAT = {BF16: TORCH_EXPORT, INT8: ONNX}
_STEMS = {"predict": "model"}


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way to write a program down."""

    format: str
    precision: str

    def __str__(self) -> str:
        return f"{self.format} {self.precision}"

    def file_name(self, program: str) -> str:
        """Name in the artifact of the program called `program`: model.pt2, decode.onnx, ..."""
        return _STEMS.get(program, program) + SUFFIXES[self.format]


def chosen(options: ExportOptions) -> tuple[Form, ...]:
    """The forms that `options` ask for, the served one first; one for each format.

    A precision that only one format has is served in that format, and other formats that were named lie beside it.
    """
    named = [_FORMATS[word] for word in options.formats.split("+")]
    precision = options.served_precision
    served = _ONLY_FORMAT.get(precision, named[0])
    others = [name for name in named if name != served]
    return (Form(format=served, precision=precision), *(Form(format=name, precision=FP32) for name in others))
