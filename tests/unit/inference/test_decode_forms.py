"""The forms of JSON and JSON lines: the same instances, wrapped, bare, one or many, of every kind."""

from typing import Any

import numpy as np
import orjson
import pytest

from inference.formats.decode import JSON, JSON_LINES, decoders
from inference.http.errors import RequestError
from inference.manifests.schema import InputSchema
from inference.manifests.table import Column
from inference.manifests.tokenizer import Tokenizer

LINES = JSON_LINES[0]
IMAGE = InputSchema(kind="image", name="image", dtype="float32", shape=(2, 3), minimum=0.0, maximum=10.0)
COLUMNS = (Column(name="age"), Column(name="inputs", categories=("red", "blue")))
TABLE = InputSchema(kind="table", name="row", dtype="float32", shape=(2,), columns=COLUMNS)
ONE = InputSchema(kind="table", name="row", dtype="float32", shape=(1,), columns=COLUMNS[:1])
TEXT = InputSchema(kind="text", name="text", dtype="int64", shape=(3,), tokenizer="tokenizer.json")
TOKENIZER = Tokenizer.train(["good bad !"], 10)
KINDS = {schema: decoders(schema, TOKENIZER) for schema in (IMAGE, TABLE, ONE, TEXT)}
A, B = [[1, 2, 3], [4, 5, 6]], [[7, 8, 9.5], [0, 0, -1]]


def decode(schema: InputSchema, document: Any) -> list[Any]:
    rows: list[Any] = KINDS[schema][JSON](orjson.dumps(document)).tolist()
    return rows


def refusal(schema: InputSchema, body: bytes, media: str = JSON) -> str:
    with pytest.raises(RequestError) as caught:
        KINDS[schema][media](body)
    assert caught.value.status == 400
    return caught.value.message


@pytest.mark.parametrize(
    ("schema", "document", "batch"),
    [
        (IMAGE, {"instances": [A, B]}, [A, B]),
        (IMAGE, {"inputs": [A, B]}, [A, B]),
        (IMAGE, {"inputs": A}, [A]),
        (IMAGE, [A, B], [A, B]),
        (IMAGE, A, [A]),
        (IMAGE, {"instances": [A], "inputs": [B], "parameters": {"right": True}}, [A]),
        (TABLE, {"instances": [[1, "red"], {"age": 2, "inputs": "blue"}]}, [[1, 0], [2, 1]]),
        (TABLE, {"inputs": [[1, "red"]]}, [[1, 0]]),
        (TABLE, {"inputs": [1, "red"]}, [[1, 0]]),
        (TABLE, {"inputs": {"age": 2, "inputs": "blue"}}, [[2, 1]]),
        (TABLE, [[1, "red"], [2, "blue"]], [[1, 0], [2, 1]]),
        (TABLE, [1, "red"], [[1, 0]]),
        (TABLE, [{"age": 2, "inputs": "blue"}], [[2, 1]]),
        (ONE, {"age": 2}, [[2]]),
        (ONE, [2], [[2]]),
        (ONE, [[2], [3]], [[2], [3]]),
        (TEXT, {"inputs": "good"}, [[2, 0, 0]]),
        (TEXT, "good", [[2, 0, 0]]),
        (TEXT, ["good", ""], [[2, 0, 0], [1, 0, 0]]),
    ],
)
def test_instances_are_found_wherever_their_place_is_clear(schema: InputSchema, document: Any, batch: Any) -> None:
    words = {2: TOKENIZER.encode(["good"], 1).item()}
    expected = [[words.get(word, word) for word in row] for row in batch] if schema is TEXT else batch
    assert decode(schema, document) == expected


@pytest.mark.parametrize(
    ("schema", "body", "found"),
    [
        (IMAGE, b'{"instances": [[1, 2, 3], [4, 5, 6]]}', "instances[0] is a list of 3, not of 2"),
        (IMAGE, b"[[[[1, 2, 3], [4, 5, 6]]]]", "instances[0] is a list of 1, not of 2"),
        (IMAGE, b"[1, 2]", "instances[0] is 1, not a list"),
        (IMAGE, b'{"inputs": 5}', "the body holds a int"),
        (IMAGE, b'{"inputs": []}', "the body holds an empty list"),
        (IMAGE, b'{"data": []}', "the body holds keys ['data']"),
        (IMAGE, b"null", "the body holds a NoneType"),
        (TABLE, b'{"age": 1, "inputs": "red"}', "the body holds a str"),  # `inputs` wins: wrap such a row
        (TABLE, b"[1]", "an instance has 1 values; expected 2"),
        (TEXT, b'{"instances": "good"}', "instances is str"),
        (TEXT, b"[1]", "instance 0 is 1, not a string"),
    ],
)
def test_what_is_not_clear_is_refused(schema: InputSchema, body: bytes, found: str) -> None:
    message = refusal(schema, body)
    assert found in message and "expected" in message, message


@pytest.mark.parametrize("media", JSON_LINES)
@pytest.mark.parametrize(
    ("schema", "rows", "batch"),
    [
        (IMAGE, [A, {"features": B}, {"instance": A}], [A, B, A]),
        (TABLE, [[1, "red"], {"age": 2, "inputs": "blue"}], None),
        (TABLE, [[1, "red"], {"instance": {"age": 2, "inputs": "blue"}}], [[1, 0], [2, 1]]),
        (ONE, [[1], {"age": 2}], [[1], [2]]),
        (TEXT, ["!", {"inputs": "!", "parameters": {}}], [[2, 0, 0], [2, 0, 0]]),
    ],
)
def test_lines_are_bare_or_wrapped_instances(media: str, schema: InputSchema, rows: list[Any], batch: Any) -> None:
    body = b"\n".join(map(orjson.dumps, rows))
    if batch is None:
        assert "instance 1: an instance is 'blue'" in refusal(schema, body, media)
        return
    for ending in (b"", b"\n", b"\r\n"):
        found = KINDS[schema][media](body.replace(b"\n", ending or b"\n") + ending)
        expected = TOKENIZER.encode(["!"] * 2, 3) if schema is TEXT else np.array(batch, np.float32)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "the body has no line"),
        (b"\n", "the body has no line"),
        (b"[[1,2,3],[4,5,6]]\n\n[[1,2,3],[4,5,6]]", "line 2 is not JSON"),
        (b"[[1,2,3],\n[4,5,6]]", "line 1 is not JSON"),
        (b"[[1,2,3],[4,5,6]]\n[[1,2,3],[4,5,NaN]]", "line 2 is not JSON"),
        (b"[[1,2,3],[4,5,6]]\n[[1,2,3],[4,5,true]]", "instances[1][1][2] is True, not a number"),
        (b'{"instance": [1]}', "instances[0] is a list of 1, not of 2"),
        (b'{"image": [1]}', "instances[0] is {'image': [1]}, not a list"),
    ],
)
def test_bad_lines_are_named(body: bytes, found: str) -> None:
    message = refusal(IMAGE, body, LINES)
    assert found in message and "expected" in message, message
