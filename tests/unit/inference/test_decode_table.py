"""Tables in requests: the same row in every form, missing values, unknown categories, and what is refused."""

import csv
import io
import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.formats.decode import decoders
from inference.http.errors import RequestError
from inference.manifests.schema import InputSchema
from inference.manifests.table import Column

COLUMNS = (Column(name="age"), Column(name="colour", categories=("red", "blue, dark", "3")), Column(name="size"))
SCHEMA = InputSchema(kind="table", name="row", dtype="float32", shape=(3,), columns=COLUMNS)
DECODERS = decoders(SCHEMA)
JSON, NPY, CSV, NPZ, LINES, *_ = DECODERS
NAN = math.nan


def as_json(*rows: object) -> bytes:
    return orjson.dumps({"instances": list(rows)})


def as_npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def refusal(body: bytes, media: str) -> str:
    with pytest.raises(RequestError) as caught:
        DECODERS[media](body)
    assert caught.value.status == 400
    return caught.value.message


NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32)
ROWS = st.lists(
    st.tuples(NUMBERS, st.sampled_from([None, "red", "blue, dark", "3", "green"]), NUMBERS), min_size=1, max_size=4
)


@given(ROWS)
def test_objects_lists_csv_and_npy_carry_the_same_row(
    rows: list[tuple[float | None, str | None, float | None]],
) -> None:
    names = [column.name for column in COLUMNS]
    places = {"red": 0.0, "blue, dark": 1.0, "3": 2.0}
    expected = np.array(
        [[NAN if a is None else a, places.get(c or "", NAN), NAN if s is None else s] for a, c, s in rows], np.float32
    )
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    turned = io.StringIO()
    csv.writer(turned).writerows([names[::-1], *(row[::-1] for row in rows)])
    for body, media in (
        (as_json(*(dict(zip(names, row, strict=True)) for row in rows)), JSON),
        (as_json(*map(list, rows)), JSON),
        (text.getvalue().encode(), CSV),
        (turned.getvalue().encode(), CSV),
        (as_npy(expected), NPY),
        (as_npy(expected.astype(np.float64)), NPY),
    ):
        batch = DECODERS[media](body)
        assert batch.dtype == np.float32 and batch.shape == (len(rows), 3)
        np.testing.assert_array_equal(batch, expected)


@pytest.mark.parametrize(
    ("value", "place"),
    [("red", 0), (" red\t", 0), ("", NAN), ("  ", NAN), (None, NAN), ("green", NAN), (3, 2), (3.0, 2), (3.5, NAN)],
)
def test_categories_are_found_as_they_are_written(value: object, place: float) -> None:
    np.testing.assert_array_equal(DECODERS[JSON](as_json([1, value, 2])), np.array([[1, place, 2]], np.float32))


def test_truth_values_are_categories_by_name() -> None:
    schema = InputSchema(
        kind="table", name="x", dtype="float32", shape=(1,), columns=(Column(name="a", categories=("false", "true")),)
    )
    assert decoders(schema)[JSON](as_json([True], [False])).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "not JSON"),
        (b"[]", "the body holds an empty list"),
        (b"7", "the body holds a int"),
        (b'{"sighs": 1}', "the body holds keys ['sighs']"),
        (b'{"age": 1, "color": "red"}', "there is no column 'color'"),
        (b'{"instances": [[' + b"[" * 1000 + b"]" * 1000 + b', "red", 1]]}', "instance 0 holds lists in lists"),
        (b'{"instances": [{"age": 1' + b"0" * 400 + b', "colour": "red", "size": 1}]}', "not JSON"),
        (as_json(), "an empty list"),
        (as_json(7), "instance 0: an instance is 7; expected an object with the keys age, colour, size"),
        (as_json([1, "red"]), "instance 0: an instance has 2 values; expected 3: age, colour, size"),
        (
            as_json({"age": 1, "color": "red", "size": 2}),
            "there is no column 'color'; the columns are age, colour, size",
        ),
        (as_json([1, "red", 2], {"age": 1, "size": 2}), "instance 1: column 'colour' is not given; the columns are"),
        (as_json(["old", "red", 2]), "column 'age' is 'old'; expected a number, or null"),
        (as_json([True, "red", 2]), "column 'age' is True; expected a number"),
        (as_json([[1], "red", 2]), "column 'age' is [1]; expected a number"),
        (as_json([1, ["red"], 2]), "column 'colour' is ['red']; expected a string"),
        (b'{"instances": [[1, "red", 1e39]]}', "instance 0 holds infinity or a number too large"),
        (b'{"instances": [[1e309, "red", 1]]}', "not JSON"),
        (b'{"instances": [[NaN, "red", 1]]}', "not JSON"),
    ],
)
def test_bad_json_names_instance_and_column(body: bytes, found: str) -> None:
    message = refusal(body, JSON)
    assert found in message, message


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "the CSV has no row"),
        (b"age,colour,size\n", "the CSV has no row"),
        (b"1,red\n", "CSV row 1 has 2 columns"),
        (b"1,red,2\n\n", "CSV row 2 has 0 columns"),
        (b"1,red,2\nold,red,2\n", "CSV row 2: column 'age' is 'old', not a number; leave the cell empty"),
        (b"1,red,nan\n", "CSV row 1: column 'size' is 'nan', not a number"),
        (b"1,red,1_0\n", "column 'size' is '1_0'"),
        (b"1,red,inf\n", "instance 0 holds infinity"),
        (b"1,red,-1e99\n", "instance 0 holds infinity"),
        (b"age,color,size\n1,red,2\n", "CSV row 1: there is no column 'color'; the columns are age, colour, size"),
        (b"age,colour\n1,red\n", "CSV row 1: column 'size' is not given"),
        (b"age,colour,size,size\n", "CSV row 1: a column is named twice"),
        (b"size,age,colour\n2,x,red\n", "CSV row 2: column 'age' is 'x'"),
        (b'1,"red,2\n', "the CSV cannot be read"),
        (b"1,\xff,2\n", "not UTF-8 at position 2"),
        (b"1,red\x00,2\n" + b"1," + b"x" * 200_000 + b",2\n", "the CSV cannot be read (field larger"),
    ],
)
def test_bad_csv_names_row_and_column(body: bytes, found: str) -> None:
    message = refusal(body, CSV)
    assert found in message, message


def test_a_byte_order_mark_and_other_line_ends_are_no_matter() -> None:
    body = "\ufeffsize,colour,age\r\n2,red,1\r\n".encode()
    assert DECODERS[CSV](body).tolist() == [[1, 0, 2]]


def test_a_category_that_is_named_like_a_column_is_no_header() -> None:
    columns = (Column(name="size", categories=("size", "weight")), Column(name="b", categories=("x",)))
    schema = InputSchema(kind="table", name="x", dtype="float32", shape=(2,), columns=columns)
    assert decoders(schema)[CSV](b"size,x\nweight,x\n").tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ([1, 3, 0], "column 'colour' is 3; expected the index of a category, 0 to 2"),
        ([1, 0.5, 0], "column 'colour' is 0.5"),
        ([1, -1, 0], "column 'colour' is -1"),
        ([np.inf, 0, 0], "instance 1 holds infinity"),
    ],
)
def test_bad_npy_names_instance_and_column(row: list[float], found: str) -> None:
    assert found in refusal(as_npy(np.array([[1, 0, 1], row])), NPY)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), st.sampled_from([JSON, NPY, CSV]))
def test_no_body_does_worse_than_4xx(body: bytes, media: str) -> None:
    try:
        assert DECODERS[media](body).shape[1:] == (3,)
    except RequestError as error:
        assert error.status == 400
