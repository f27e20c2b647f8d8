"""The manifest of an artifact: what is known of a model without loading it, and the strict reader of `manifest.json`.

Every rule about the file is here, in `schema` and in `records`, and none of it needs torch or numpy. A manifest that
breaks a rule raises `ArtifactError` with the field, what was found, what is expected and what to do.

    python -m inference --check FOLDER
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from inference.manifests.fields import RETRAIN, ArtifactError, Fields
from inference.manifests.records import (
    CLASSIFICATIONS,
    FORMATS,
    GENERATION,
    REGRESSION,
    Example,
    ExportFacts,
    FileRecord,
    GateVerdict,
    parse_example,
    parse_export,
    parse_file,
    parse_gate,
)
from inference.manifests.schema import IMAGE, TABLE, TEXT, TOKENIZER_NAME, InputSchema, parse_schema

FORMAT_VERSION = 2
MAX_LATENT = 65_536
# task: (kind of its input, its programs)
TASKS = {
    "image-classification": (IMAGE, ("predict",)),
    "text-classification": (TEXT, ("predict",)),
    "tabular-classification": (TABLE, ("predict",)),
    REGRESSION: (TABLE, ("predict",)),
    GENERATION: (IMAGE, ("encode", "decode")),
}
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_FILE_NAME = re.compile(rf"{_PART}\.(pt2|onnx)|{re.escape(TOKENIZER_NAME)}|code(/{_PART})+")
_WANTED_FILES = f"*.pt2, *.onnx, {TOKENIZER_NAME} or code/*"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything a server, a registry or a person needs to know about a model without loading it.

    `programs` names the file of each program of the task, `exports` the facts of exported files by their names,
    `latent` the size of a generator's code, else 0.
    """

    format_version: int = FORMAT_VERSION
    task: str
    programs: dict[str, str]
    input: InputSchema
    labels: tuple[str, ...]
    latent: int = 0
    preprocessing: dict[str, float]
    metrics: dict[str, float]
    gate: GateVerdict
    code_sha256: str
    data_sha256: str
    versions: dict[str, str]
    examples: tuple[Example, ...]
    files: dict[str, FileRecord]
    exports: dict[str, ExportFacts]


def parse(document: object) -> Manifest:
    """Turn a decoded `manifest.json` into a Manifest; raises ArtifactError on the first broken rule."""
    top = Fields("manifest", document)
    version = top.get("format_version", int)
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"manifest.json: format_version is {version!r}, this server reads {FORMAT_VERSION}; {RETRAIN}"
        )
    task = top.choice("task", tuple(TASKS))
    schema, labels, latent = _input(top, task), _labels(top, task), _latent(top, task)
    manifest = Manifest(
        format_version=version,
        task=task,
        programs=top.mapping("programs", lambda f, k: f.get(k, str)),
        input=schema,
        labels=labels,
        latent=latent,
        preprocessing=top.mapping("preprocessing", Fields.number),
        metrics=top.mapping("metrics", Fields.number),
        gate=parse_gate(top.fields("gate")),
        code_sha256=top.sha256("code_sha256"),
        data_sha256=top.sha256("data_sha256"),
        versions=top.mapping("versions", lambda f, k: f.get(k, str)),
        examples=tuple(parse_example(item, task, schema, labels, latent) for item in top.items("examples")),
        files=top.mapping("files", lambda f, k: parse_file(f.fields(k))),
        exports=top.mapping("exports", parse_export),
    )
    _check_files(manifest)
    _check_programs(top, manifest)
    if not manifest.examples:
        raise top.wrong("examples", [], "at least one example: the server proves itself on it before it answers")
    return manifest


def as_document(manifest: Manifest) -> dict[str, Any]:
    """What `parse` reads, ready for JSON; a prediction has the fields of its task only, as a server's answer has."""
    document = dataclasses.asdict(manifest)
    for example in document["examples"]:
        prediction = example["prediction"]
        example["prediction"] = {name: value for name, value in prediction.items() if value is not None}
    return document


def may_be_a_file(name: str) -> bool:
    """Whether an artifact may hold a file of that name: a plain path inside it, of a kind that it needs."""
    return _FILE_NAME.fullmatch(name) is not None


def _input(top: Fields, task: str) -> InputSchema:
    schema = parse_schema(top.fields("input"))
    kind, _ = TASKS[task]
    if schema.kind != kind:
        raise top.fields("input").wrong("kind", schema.kind, f"{kind!r}, which the task {task} takes")
    return schema


def _labels(top: Fields, task: str) -> tuple[str, ...]:
    labels = tuple(top.strings("labels"))
    if task not in CLASSIFICATIONS and labels:
        raise top.wrong("labels", list(labels), f"an empty list: the task {task} has no classes")
    if task in CLASSIFICATIONS and (len(labels) < 2 or len(set(labels)) != len(labels)):
        raise top.wrong("labels", list(labels), "two or more different strings")
    return labels


def _latent(top: Fields, task: str) -> int:
    if task == GENERATION:
        return top.count("latent", 1, MAX_LATENT)
    top.nothing("latent", 0, f"the task {task} has no latent")
    return 0


def _check_files(manifest: Manifest) -> None:
    for name in manifest.files:
        if not may_be_a_file(name):
            raise ArtifactError(
                f"manifest.json: files names {name!r}; expected a plain path inside the artifact, {_WANTED_FILES}; "
                f"{RETRAIN}"
            )
    tokenizer = manifest.input.tokenizer
    if tokenizer and tokenizer not in manifest.files:
        raise ArtifactError(
            f"manifest.json: files lists {sorted(manifest.files)}; expected {tokenizer} among them; {RETRAIN}"
        )


def _check_programs(top: Fields, manifest: Manifest) -> None:
    """The programs are those of the task, each an exported file of the artifact, all of one format."""
    _, wanted = TASKS[manifest.task]
    if sorted(manifest.programs) != sorted(wanted):
        raise top.wrong("programs", manifest.programs, f"the programs {list(wanted)} of the task {manifest.task}")
    programs = top.fields("programs")
    for name, file in manifest.programs.items():
        if file not in manifest.files or not file.endswith(tuple(FORMATS)):
            files = [file for file in sorted(manifest.files) if file.endswith(tuple(FORMATS))]
            raise programs.wrong(name, file, f"one of the artifact's files {files}")
        if file not in manifest.exports:
            raise top.wrong("exports", sorted(manifest.exports), f"the facts of {file}, which is the program {name!r}")
    formats = {manifest.exports[file].format for file in manifest.programs.values()}
    if len(formats) != 1:
        raise top.wrong("programs", manifest.programs, f"programs of one format; these are {sorted(formats)}")
    for file in manifest.exports:
        if file not in manifest.files:
            raise top.wrong("exports", file, f"only files of the artifact: {sorted(manifest.files)}")
