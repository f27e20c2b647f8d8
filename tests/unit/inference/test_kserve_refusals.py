"""Requests of KServe's V2 protocol that are refused, each with what was expected."""

from typing import Any

import pytest

from inference.http.errors import RequestError
from tests.unit.inference.test_kserve import (
    BATCH,
    CLASSIFY,
    FORMS,
    OCTETS,
    ROWS,
    SERVICES,
    TEXTS,
    TRITON,
    ask,
    refusal,
    tensor,
)


def binary(size: Any, shape: list[int] | None = None, datatype: str = "FP32", name: str = "image") -> dict[str, Any]:
    parameters = {"binary_data_size": size}
    return {"name": name, "datatype": datatype, "shape": shape or [2, 2, 3], "parameters": parameters}


GOOD = FORMS[0]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (7, "no V2 request, it holds 7"),
        ({}, "no V2 request, it holds {}"),
        ({"inputs": []}, "no V2 request"),
        ({"inputs": [{"name": "x"}]}, "no V2 request"),
        ({"inputs": [GOOD | {"name": 5}]}, "an input is"),
        ({"inputs": [GOOD | {"datatype": None}]}, "an input is"),
        ({"inputs": [GOOD | {"parameters": [1]}]}, "an input is"),
        ({"inputs": [GOOD | {"datatype": "BYTES"}]}, "the datatype is 'BYTES'"),
        ({"inputs": [GOOD | {"datatype": "float"}]}, "the datatype is 'float'"),
        ({"inputs": [GOOD | {"shape": "2"}]}, "the shape of 'image' is '2'"),
        ({"inputs": [GOOD | {"shape": []}]}, "the shape of 'image' is []"),
        ({"inputs": [GOOD | {"shape": [1] * 9}]}, "expected 1 to 8 numbers from 0"),
        ({"inputs": [GOOD | {"shape": [-2, 2, 3]}]}, "the shape of 'image' is [-2, 2, 3]"),
        ({"inputs": [GOOD | {"shape": [True, 2, 3]}]}, "the shape of 'image' is [True, 2, 3]"),
        ({"inputs": [GOOD | {"shape": [2.0, 2, 3]}]}, "the shape of 'image' is [2.0, 2, 3]"),
        ({"inputs": [GOOD | {"shape": [0, 2, 3], "data": []}]}, "the shape is [0, 2, 3]"),
        ({"inputs": [GOOD | {"shape": [2, 6]}]}, "the shape is [2, 6]"),
        ({"inputs": [GOOD | {"shape": [1, 2, 3]}]}, "data is a list of 12, not of 6"),
        ({"inputs": [GOOD | {"shape": [2**63, 2, 3]}]}, "data is a list of 12, not of 55340232221128654848"),
        ({"inputs": [GOOD | {"data": BATCH[:1].tolist()}]}, "data is a list of 1, not of 2"),
        ({"inputs": [GOOD | {"data": None}]}, "has data None and binary_data_size None"),
        ({"inputs": [GOOD | {"data": "12"}]}, "has data '12'"),
        ({"inputs": [GOOD | {"data": [*range(11), "a"]}]}, "data[11] is 'a', not a number"),
        ({"inputs": [GOOD | {"data": [*range(11), None]}]}, "data[11] is None, not a number"),
        ({"inputs": [GOOD | {"data": [*range(11), True]}]}, "data[11] is True, not a number"),
        ({"inputs": [GOOD | {"data": [*range(11), 1e39]}]}, "data[11] is 1e+39, a number too large"),
        ({"inputs": [GOOD | {"datatype": "UINT8", "data": [*range(11), 256]}]}, "data holds 256, which is no UINT8"),
        ({"inputs": [GOOD | {"datatype": "INT32", "data": [*range(11), 0.5]}]}, "data holds 0.5, which is no INT32"),
        ({"inputs": [GOOD, GOOD]}, "two inputs have the same name"),
        ({"inputs": [GOOD, GOOD | {"name": "y"}]}, "the inputs are ['image', 'y']; expected one"),
        ({"inputs": [binary(8)]}, "has data None and binary_data_size 8; expected a list of data, or none and a size"),
        ({"inputs": [GOOD], "id": 7}, "id is 7; expected a string"),
        ({"inputs": [GOOD], "outputs": 7}, "outputs is 7"),
        ({"inputs": [GOOD], "outputs": ["scores"]}, "outputs is ['scores']"),
        (
            {"inputs": [GOOD], "outputs": [{"name": "score"}]},
            "there is no output 'score'; expected one of scores, label",
        ),
        ({"inputs": [GOOD], "outputs": [{"name": ["scores"]}]}, "there is no output ['scores']"),
        ({"inputs": [GOOD], "outputs": [{"name": "scores"}] * 2}, "an output is asked for twice"),
        ({"inputs": [GOOD], "outputs": [{"name": "scores"}] * 3}, "3 outputs are asked for"),
        ({"inputs": [GOOD], "outputs": [{"name": "label", "parameters": {"classification": 1}}]}, "on scores only"),
        (
            {"inputs": [GOOD], "outputs": [{"name": "scores", "parameters": {"classification": "1"}}]},
            "is '1'; expected",
        ),
        (
            {"inputs": [GOOD], "outputs": [{"name": "scores", "parameters": {"binary_data": 1}}]},
            "expected true or false",
        ),
        ({"inputs": [GOOD], "parameters": [1]}, "parameters is [1]; expected an object"),
    ],
)
def test_bad_requests_say_what_is_expected(document: Any, found: str) -> None:
    message = refusal(CLASSIFY, document)
    assert found in message and ("expected" in message), message


@pytest.mark.parametrize(
    ("inputs", "size", "found"),
    [
        ([binary(48)], 47, "binary_data_size 48; expected a list of data, or none and a size of up to 47"),
        ([binary(48)], 49, "49 bytes follow the JSON, but the inputs' binary_data_size add up to 48"),
        ([binary(44)], 44, "binary_data_size is 44, the shape and datatype need 48"),
        ([binary(-1)], 48, "binary_data_size -1"),
        ([binary("48")], 48, "binary_data_size '48'"),
        ([binary(48) | {"data": [1]}], 48, "has data [1] and binary_data_size 48"),
        (
            [binary(48), binary(48, name="y")],
            48,
            "binary_data_size 48; expected a list of data, or none and a size of up",
        ),
        ([binary(24, datatype="FP16")], 24, "holds NaN, infinity"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(inputs: list[Any], size: int, found: str) -> None:
    message = refusal(CLASSIFY, {"inputs": inputs}, tail=b"\xff" * size)
    assert found in message and "expected" in message, message


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"content_type": OCTETS}, "needs the header Inference-Header-Content-Length"),
        ({"inference_header_content_length": "1000"}, "the length of the JSON is '1000'; expected a number up to"),
        ({"inference_header_content_length": "-1"}, "the length of the JSON is '-1'"),
        ({"inference_header_content_length": "5"}, "the body is not JSON"),
        ({"content_type": TRITON}, "the length of the JSON is ''"),
        ({"content_type": f"{TRITON}; json-header-size=\u00b2"}, "the length of the JSON is '\u00b2'"),
    ],
)
def test_the_length_of_the_json_has_to_be_right(headers: dict[str, str], found: str) -> None:
    assert found in refusal(CLASSIFY, {"inputs": FORMS[:1]}, **headers)


@pytest.mark.parametrize(
    ("octets", "shape", "found"),
    [
        (b"\x05\0\0\0good", [1], "text 0 ends 1 bytes after its tensor"),
        (b"\x01\0\0\0g\x01", [2], "text 1 ends"),
        (b"\x01\0\0\0\xff", [1], "text 0 is not UTF-8 at its byte 0"),
        (b"\x01\0\0\0g", [2], "the tensor has 1 texts, the shape asks for 2"),
        (b"\0" * 8, [1], "the tensor has 2 texts, the shape asks for 1"),
        (b"\0" * 8, [1, 2], "the shape is [1, 2]"),
    ],
)
def test_texts_as_bytes_have_to_fill_their_tensor(octets: bytes, shape: list[int], found: str) -> None:
    head = {"inputs": [binary(len(octets), shape, "BYTES")]}
    assert found in refusal(SERVICES[TEXTS.task], head, tail=octets)


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ([tensor("age", "FP32", [2], [1, 2])], "expected one for each column, and 'colour' is not"),
        (
            [tensor("age", "FP32", [2], [1, 2]), tensor("color", "BYTES", [2], ["red", "red"])],
            "expected one for each column, and 'colour' is not",
        ),
        (
            [tensor("age", "FP32", [2], [1, 2]), tensor("colour", "BYTES", [1], ["red"])],
            "the inputs differ in their number of values",
        ),
        ([tensor("age", "FP32", [2], [1]), tensor("colour", "BYTES", [1], ["red"])], "data has 1 values, the shape"),
        ([tensor("age", "BYTES", [1], ["1"]), tensor("colour", "BYTES", [1], ["red"])], "column 'age' is '1'"),
        ([tensor("age", "FP3", [1], [1]), tensor("colour", "BYTES", [1], ["red"])], "the datatype is 'FP3'"),
        ([tensor("age", "FP32", [1, 2], [1, 2]), tensor("colour", "BYTES", [1], ["red"])], "the shape is [1, 2]"),
        ([tensor("row", "FP32", [1, 2], [1, 2])], "column 'colour' is 2; expected the index of a category"),
        ([tensor("row", "FP32", [1, 2], ["1", 0])], "data[0] is '1', not a number"),
    ],
)
def test_bad_tables(inputs: list[Any], found: str) -> None:
    message = refusal(SERVICES[ROWS.task], {"inputs": inputs})
    assert found in message, message


def test_only_v2_is_understood_on_its_path() -> None:
    assert "no V2 request" in refusal(CLASSIFY, {"instances": BATCH.tolist()})
    with pytest.raises(RequestError) as caught:
        ask(CLASSIFY, {}, content_type="text/csv")
    assert caught.value.status == 415 and "use application/json, application/octet-stream" in caught.value.message
