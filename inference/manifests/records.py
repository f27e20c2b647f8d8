"""What a manifest records besides the input: the gate's verdict, examples, exports and files, with their readers.

A reader gets the JSON object as `Fields` and raises ArtifactError naming the field that breaks a rule.
"""

from dataclasses import dataclass
from typing import Any

from inference.manifests.fields import Fields
from inference.manifests.schema import InputSchema, instance_fault

CLASSIFICATIONS = ("image-classification", "text-classification", "tabular-classification")
REGRESSION = "tabular-regression"
GENERATION = "image-generation"
RULES = (">=", "<=", "not worse than served")
FORMATS = {".pt2": "torch.export", ".onnx": "onnx"}
PRECISIONS = ("fp32", "bf16", "int8")
MAX_FILE_BYTES = 2**40


@dataclass(frozen=True, kw_only=True)
class GateCheck:
    """One rule of the quality gate: `metric` was `value`, and `rule` held it against `limit`."""

    metric: str
    rule: str
    value: float
    limit: float
    passed: bool


@dataclass(frozen=True, kw_only=True)
class GateVerdict:
    """What the quality gate said when the artifact was made; passed where every check did."""

    passed: bool
    checks: tuple[GateCheck, ...]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A recorded answer, by task: a label and its score in [0, 1]; a value; or a latent. The other fields are None."""

    label: str | None = None
    score: float | None = None
    value: float | None = None
    latent: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Example:
    """A held-out instance as a client would send it in JSON, what is true of it, and the model's recorded answer.

    `target` is a label, a number (regression) or None (generation).
    """

    instance: Any
    target: str | float | None
    prediction: Prediction


@dataclass(frozen=True, kw_only=True)
class ExportFacts:
    """How an exported file compares with the trained model on the held-out examples.

    `max_difference` is the largest of any output, `agreement` the share of examples with the same label (None where
    there are no labels), and `tolerance` what a server may find different from the recorded answers.
    """

    format: str
    precision: str
    max_difference: float
    agreement: float | None
    tolerance: float
    seconds_per_example: float
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """Content hash (lower-case hex) and size of one file of the artifact."""

    sha256: str
    size_bytes: int


def parse_gate(fields: Fields) -> GateVerdict:
    """The manifest's `gate`."""
    checks = tuple(_check(Fields(f"{fields.path}.checks[]", item)) for item in fields.items("checks"))
    passed = fields.get("passed", bool)
    if passed != all(check.passed for check in checks):
        raise fields.wrong("passed", passed, "true where every check has passed, and only there")
    return GateVerdict(passed=passed, checks=checks)


def parse_example(item: object, task: str, schema: InputSchema, labels: tuple[str, ...], latent: int) -> Example:
    """One of the manifest's `examples`."""
    fields = Fields("manifest.examples[]", item)
    instance = fields.get("instance", object)
    if fault := instance_fault(instance, schema):
        raise fields.wrong("instance", fault, f"one instance of kind {schema.kind}, as a client sends it")
    prediction = fields.fields("prediction")
    if task == GENERATION:
        fields.nothing("target", None, "nothing is known of an image that is only to be imitated")
        code = tuple(_latent(prediction, latent))
        return Example(instance=instance, target=None, prediction=Prediction(latent=code))
    if task == REGRESSION:
        answer = Prediction(value=prediction.number("value"))
        return Example(instance=instance, target=fields.number("target"), prediction=answer)
    answer = Prediction(label=prediction.choice("label", labels), score=prediction.number("score"))
    return Example(instance=instance, target=fields.choice("target", labels), prediction=answer)


def parse_export(fields: Fields, name: str) -> ExportFacts:
    """The facts of the file `name`, one of the manifest's `exports`."""
    inner = fields.fields(name)
    form = next((form for suffix, form in FORMATS.items() if name.endswith(suffix)), None)
    if form is None:
        raise fields.wrong(name, "a file of another kind", f"the name of a file that ends in {' or '.join(FORMATS)}")
    return ExportFacts(
        format=inner.choice("format", (form,)),
        precision=inner.choice("precision", PRECISIONS),
        max_difference=inner.number("max_difference", 0.0),
        agreement=None if inner.get("agreement", object) is None else inner.number("agreement", 0.0, 1.0),
        tolerance=inner.number("tolerance", 0.0),
        seconds_per_example=inner.number("seconds_per_example", 0.0),
        size_bytes=inner.count("size_bytes", 0, MAX_FILE_BYTES),
    )


def parse_file(fields: Fields) -> FileRecord:
    """One of the manifest's `files`."""
    return FileRecord(sha256=fields.sha256("sha256"), size_bytes=fields.count("size_bytes", 0, MAX_FILE_BYTES))


def _check(fields: Fields) -> GateCheck:
    return GateCheck(
        metric=fields.get("metric", str),
        rule=fields.choice("rule", RULES),
        value=fields.number("value"),
        limit=fields.number("limit"),
        passed=fields.get("passed", bool),
    )


def _latent(prediction: Fields, size: int) -> list[float]:
    code = Fields(f"{prediction.path}.latent", dict(enumerate(prediction.items("latent"))))
    if len(code.value) != size:
        raise prediction.wrong("latent", f"{len(code.value)} numbers", f"{size} numbers")
    return [code.number(place) for place in code.value]
