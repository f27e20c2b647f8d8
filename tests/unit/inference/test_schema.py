"""The manifests of texts, tables, regressions and generators: what is right is read, a broken rule is named."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from inference import artifact
from inference.manifests.manifest import as_document, parse
from tests.unit.inference.conftest import manifest_of

RECORD = {"sha256": "a" * 64, "size_bytes": 1}
Document = dict[str, Any]


def document(manifest: artifact.Manifest, *files: str) -> Document:
    """As a decoded manifest.json, which lists `files`."""
    found: Document = json.loads(json.dumps(as_document(manifest)))
    return {**found, "files": dict.fromkeys(files, RECORD)}


def text() -> Document:
    schema = artifact.InputSchema(kind="text", name="text", dtype="int64", shape=(9,), tokenizer="tokenizer.json")
    answer = artifact.Prediction(label="no", score=0.75)
    example = artifact.Example(instance="a text", target="yes", prediction=answer)
    manifest = manifest_of("text-classification", schema, [example], {"predict": "model.pt2"}, labels=("no", "yes"))
    return document(manifest, "model.pt2", "tokenizer.json")


def table() -> Document:
    columns = (artifact.Column(name="age"), artifact.Column(name="colour", categories=("red", "blue")))
    schema = artifact.InputSchema(kind="table", name="row", dtype="float32", shape=(2,), columns=columns)
    example = artifact.Example(
        instance={"age": 1, "colour": None}, target=2.5, prediction=artifact.Prediction(value=-2.0)
    )
    return document(manifest_of("tabular-regression", schema, [example], {"predict": "model.onnx"}), "model.onnx")


def generator() -> Document:
    schema = artifact.InputSchema(kind="image", name="x", dtype="float32", shape=(1, 2, 3), minimum=0.0, maximum=255.0)
    answer = artifact.Prediction(latent=(0.5, 1.0))
    example = artifact.Example(instance=[[[1, 2, 3], [4, 5, 6]]], target=None, prediction=answer)
    programs = {"encode": "encode.pt2", "decode": "decode.pt2"}
    return document(manifest_of("image-generation", schema, [example], programs, latent=2), "encode.pt2", "decode.pt2")


def test_every_task_is_read_back() -> None:
    assert parse(text()).input.tokenizer == "tokenizer.json"
    regression = parse(table())
    assert regression.input.columns[1] == artifact.Column(name="colour", categories=("red", "blue"))
    assert regression.input.columns[1].places == {"red": 0.0, "blue": 1.0}
    assert regression.examples[0].target == 2.5 and regression.examples[0].prediction.value == -2.0
    assert parse(generator()).examples[0].prediction.latent == (0.5, 1.0)


def test_the_answer_of_each_task_has_its_own_fields() -> None:
    assert [set(build()["examples"][0]["prediction"]) for build in (text, table, generator)] == [
        {"label", "score"},
        {"value"},
        {"latent"},
    ]


@pytest.mark.parametrize(
    ("build", "path", "value", "message"),
    [
        (text, ["input", "dtype"], "float32", "manifest.input.dtype is 'float32'; expected one of ['int64']"),
        (text, ["input", "shape"], [9, 9], "manifest.input.shape is [9, 9]; expected one whole number"),
        (text, ["input", "tokenizer"], "../x.json", "manifest.input.tokenizer is '../x.json'"),
        (text, ["input", "minimum"], 0.0, "manifest.input.minimum is 0.0; expected None: only images have a range"),
        (text, ["files", "tokenizer.json"], None, "manifest.files.tokenizer.json is None; expected dict"),
        (text, ["files"], {"model.pt2": RECORD}, "expected tokenizer.json among them"),
        (text, ["examples", 0, "instance"], 7, "not a text; expected a string"),
        (text, ["examples", 0, "instance"], "\ud800", "not a text; expected a string"),
        (text, ["task"], "tabular-classification", "manifest.input.kind is 'text'; expected 'table'"),
        (table, ["input", "columns"], [], "manifest.input.columns is []; expected 2 columns"),
        (table, ["input", "columns", 1, "name"], "age", "expected 2 columns with different names"),
        (table, ["input", "columns", 1, "categories"], ["a", "a"], "categories is ['a', 'a']; expected different"),
        (table, ["input", "columns", 1, "categories"], ["a", ""], "none of them empty"),
        (table, ["input", "columns", 1], 3, "manifest.input.columns[] is a int; expected an object"),
        (table, ["examples", 0, "instance"], {"age": 1}, "column 'colour' is not given"),
        (table, ["examples", 0, "instance"], [1, 2, 3], "an instance has 3 values; expected 2: age, colour"),
        (table, ["examples", 0, "target"], "2.5", "manifest.examples[].target is '2.5'; expected int or float"),
        (table, ["examples", 0, "prediction"], {"label": "x"}, "prediction.value is missing"),
        (table, ["labels"], ["a", "b"], "expected an empty list: the task tabular-regression has no classes"),
        (generator, ["latent"], 0, "manifest.latent is 0; expected a whole number from 1"),
        (generator, ["latent"], 3, "latent is '2 numbers'; expected 3 numbers"),
        (generator, ["examples", 0, "target"], "a", "manifest.examples[].target is 'a'; expected None"),
        (generator, ["examples", 0, "prediction", "latent"], [0.5, "1"], "prediction.latent.1 is '1'"),
        (generator, ["programs"], {"predict": "encode.pt2"}, "expected the programs ['encode', 'decode']"),
        (generator, ["exports", "other.pt2"], "x", "manifest.exports.other.pt2 is 'x'; expected dict"),
    ],
)
def test_a_broken_rule_is_named(build: Callable[[], Document], path: list[Any], value: object, message: str) -> None:
    found = inner = build()
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(artifact.ArtifactError) as caught:
        parse(found)
    assert message in str(caught.value)


def test_facts_of_a_file_that_is_not_there_are_refused() -> None:
    found = table()
    found["exports"]["other.onnx"] = found["exports"]["model.onnx"]
    with pytest.raises(artifact.ArtifactError, match=r"exports is 'other\.onnx'; expected only files of the artifact"):
        parse(found)
    found["exports"] = {"notes.txt": {}}
    with pytest.raises(artifact.ArtifactError, match=r"expected the name of a file that ends in \.pt2 or \.onnx"):
        parse(found)
