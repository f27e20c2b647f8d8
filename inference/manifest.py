"""The manifest of an artifact: typed records, and the strict reader of `manifest.json`.

Every rule about the file is here, and none of it needs torch or numpy. A manifest that breaks a rule raises
`ArtifactError` with the field, what was found, what is expected and what to do.

    python -m inference --check FOLDER
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from inference.fields import RETRAIN, ArtifactError, Fields

FORMAT_VERSION = 1
TASKS = ("image-classification",)
DTYPES = ("float32",)
MODEL_FILES = ("model.pt2",)
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")


@dataclass(frozen=True, kw_only=True)
class InputSchema:
    """One instance as a client sends it: `shape` without the batch, values usually in [minimum, maximum]."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    minimum: float
    maximum: float

    @property
    def size(self) -> int:
        """Values in one instance."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class GateVerdict:
    """What the quality gate said when the artifact was made."""

    passed: bool
    metric: str
    value: float
    minimum: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A label and its score in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Example:
    """A held-out instance (nested lists of the input's shape), its true label and the model's recorded answer."""

    instance: list[Any]
    target: str
    prediction: Prediction


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """Content hash (lower-case hex) and size of one file of the artifact."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything a server, a registry or a person needs to know about a model without loading it."""

    format_version: int = FORMAT_VERSION
    task: str
    model: str
    input: InputSchema
    labels: tuple[str, ...]
    preprocessing: dict[str, float]
    metrics: dict[str, float]
    gate: GateVerdict
    code_sha256: str
    data_sha256: str
    versions: dict[str, str]
    examples: tuple[Example, ...]
    files: dict[str, FileRecord]


def parse(document: object) -> Manifest:
    """Turn a decoded `manifest.json` into a Manifest; raises ArtifactError on the first broken rule."""
    top = Fields("manifest", document)
    version = top.get("format_version", int)
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"manifest.json: format_version is {version!r}, this server reads {FORMAT_VERSION}; {RETRAIN}"
        )
    task = top.choice("task", TASKS)
    schema = _input(top.fields("input"))
    labels = tuple(top.strings("labels"))
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise top.wrong("labels", list(labels), "two or more different strings")
    manifest = Manifest(
        format_version=version,
        task=task,
        model=top.get("model", str),
        input=schema,
        labels=labels,
        preprocessing=top.mapping("preprocessing", _number),
        metrics=top.mapping("metrics", _number),
        gate=_gate(top.fields("gate")),
        code_sha256=top.sha256("code_sha256"),
        data_sha256=top.sha256("data_sha256"),
        versions=top.mapping("versions", lambda f, k: f.get(k, str)),
        examples=tuple(_example(item, schema, labels) for item in top.items("examples")),
        files=top.mapping("files", lambda f, k: _file(f.fields(k))),
    )
    _check_files(manifest)
    if not manifest.examples:
        raise top.wrong("examples", [], "at least one example: the server proves itself on it before it answers")
    return manifest


def _check_files(manifest: Manifest) -> None:
    for name in manifest.files:
        if not _FILE_NAME.fullmatch(name) or name == "manifest.json":
            raise ArtifactError(
                f"manifest.json: files names {name!r}; expected a plain path inside the artifact; {RETRAIN}"
            )
    if not any(name in manifest.files for name in MODEL_FILES):
        raise ArtifactError(
            f"manifest.json: files lists {sorted(manifest.files)}; expected one of {list(MODEL_FILES)}; {RETRAIN}"
        )


def _input(fields: Fields) -> InputSchema:
    shape = tuple(fields.items("shape"))
    if not shape or len(shape) > 4 or not all(type(n) is int and 1 <= n <= 65_536 for n in shape):
        raise fields.wrong("shape", list(shape), "1 to 4 whole numbers from 1 to 65536")
    schema = InputSchema(
        name=fields.get("name", str),
        dtype=fields.choice("dtype", DTYPES),
        shape=shape,
        minimum=_number(fields, "minimum"),
        maximum=_number(fields, "maximum"),
    )
    if schema.minimum >= schema.maximum:
        raise fields.wrong("minimum", schema.minimum, f"less than maximum ({schema.maximum})")
    return schema


def _gate(fields: Fields) -> GateVerdict:
    return GateVerdict(
        passed=fields.get("passed", bool),
        metric=fields.get("metric", str),
        value=_number(fields, "value"),
        minimum=_number(fields, "minimum"),
    )


def _example(item: object, schema: InputSchema, labels: tuple[str, ...]) -> Example:
    fields = Fields("manifest.examples[]", item)
    prediction = fields.fields("prediction")
    instance = fields.items("instance")
    if _nested_shape(instance) != schema.shape:
        raise fields.wrong("instance", f"shape {_nested_shape(instance)}", f"shape {schema.shape}")
    return Example(
        instance=instance,
        target=fields.choice("target", labels),
        prediction=Prediction(label=prediction.choice("label", labels), score=_number(prediction, "score")),
    )


def _file(fields: Fields) -> FileRecord:
    return FileRecord(sha256=fields.sha256("sha256"), size_bytes=fields.get("size_bytes", int))


def _number(fields: Fields, key: str) -> float:
    value = fields.get(key, (int, float))
    if isinstance(value, bool) or not math.isfinite(value):
        raise fields.wrong(key, value, "a finite number")
    return float(value)


def _nested_shape(value: object) -> tuple[int, ...] | None:
    """Shape of nested lists of numbers; None where they are ragged or hold something else."""
    if type(value) in (int, float):
        return ()
    if not isinstance(value, list) or not value:
        return None
    inner = {_nested_shape(item) for item in value}
    shape = inner.pop() if len(inner) == 1 else None
    return None if shape is None else (len(value), *shape)
