"""Decoders: good bodies give the client's numbers, every other body gives a 4xx that says what is expected."""

import io
import struct

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from inference.formats.decode import choose, decoders
from inference.http.errors import RequestError
from inference.manifests.schema import InputSchema
from inference.manifests.table import Column

SCHEMA = InputSchema(kind="image", name="image", dtype="float32", shape=(4, 3), minimum=0.0, maximum=10.0)
MEDIA = tuple(decoders(SCHEMA))
JSON, NPY, CSV, PNG, JPEG, NPZ, LINES, *_ = MEDIA
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
BATCHES = hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(4), st.just(3)), elements=FLOATS)


def decode(body: bytes, content_type: str, schema: InputSchema) -> np.ndarray:
    return choose(decoders(schema), content_type)(body)


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version, allow_pickle=True)
    return buffer.getvalue()


def npy_header(text: str, version: bytes = b"\x01\x00", length: int | None = None) -> bytes:
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + version + size + text.encode("latin-1")


def image(mode: str, size: tuple[int, int], value: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, value).save(buffer, kind)
    return buffer.getvalue()


def refusal(body: bytes, content_type: str, schema: InputSchema = SCHEMA) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode(body, content_type, schema)
    return caught.value


@given(BATCHES)
def test_json_npy_and_csv_carry_the_same_numbers(batch: np.ndarray) -> None:
    as_csv = "\n".join(",".join(map(repr, row.ravel().tolist())) for row in batch).encode()
    as_json = orjson.dumps({"instances": batch.tolist()})
    for body, media in ((as_json, JSON), (npy(batch), NPY), (as_csv, CSV), (as_csv + b"\r\n", f"{CSV}; charset=x")):
        np.testing.assert_array_equal(decode(body, media, SCHEMA), batch)


@given(
    hnp.arrays(
        st.sampled_from(["<f4", ">f4", "<f8", "<f2", "|u1", "<i8", ">u2"]),
        st.sampled_from([(4, 3), (1, 4, 3), (5, 4, 3)]),
        elements={"min_value": 0, "max_value": 100},
    ),
    st.booleans(),
    st.sampled_from([(1, 0), (2, 0), (3, 0)]),
)
def test_npy_of_any_number_type_order_and_version(array: np.ndarray, fortran: bool, version: tuple[int, int]) -> None:
    ordered = np.asfortranarray(array) if fortran else array
    batch = decode(npy(ordered, version), NPY, SCHEMA)
    assert batch.dtype == np.float32 and batch.flags.c_contiguous
    np.testing.assert_array_equal(batch, array.astype(np.float32).reshape(-1, 4, 3))


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)), st.sampled_from(MEDIA))
def test_no_body_does_worse_than_4xx(body: bytes, media: str) -> None:
    try:
        assert decode(body, media, SCHEMA).shape[1:] == (4, 3)
    except RequestError as error:
        assert 400 <= error.status < 500 and "expected" in error.message


VALID = [
    (npy(np.ones((2, 4, 3), np.float32)), NPY),
    (image("L", (6, 8), 128), PNG),
    (image("RGB", (20, 30), 0x80, "JPEG"), JPEG),
    (orjson.dumps({"instances": [[[1.5] * 3] * 4]}), JSON),
]


@settings(max_examples=300)
@given(st.sampled_from(VALID), st.integers(0, 10_000), st.binary(min_size=1, max_size=8), st.booleans())
def test_damaged_bodies_do_no_worse_than_4xx(valid: tuple[bytes, str], at: int, noise: bytes, cut: bool) -> None:
    body, media = valid
    position = at % len(body)
    damaged = body[:position] if cut else body[:position] + noise + body[position + len(noise) :]
    try:
        assert decode(damaged, media, SCHEMA).shape[1:] == (4, 3)
    except RequestError as error:
        assert 400 <= error.status < 500


GOOD = b"[[0,0,0],[0,0,0],[0,0,0],[0,7,0]]"
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
JSON_VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@given(JSON_VALUES)
def test_any_json_value_as_instances_is_decoded_or_refused(value: object) -> None:
    try:
        body = orjson.dumps({"instances": value})
    except TypeError:  # an integer beyond 64 bits: orjson does not write it, other clients may
        return
    try:
        decode(body, JSON, SCHEMA)
    except RequestError as error:
        assert error.status == 400 and "(4, 3)" not in error.message and "[4, 3]" in error.message


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 10_000, "not JSON"),
        (b'{"instances": [NaN]}', "not JSON"),
        (b"[]", "the body holds an empty list"),
        (b"7", "the body holds a int"),
        (b'"x"', "the body holds a str"),
        (b'{"instance": []}', "the body holds keys ['instance']"),
        (b'{"instances": []}', "an empty list"),
        (b'{"instances": {}}', "instances is dict"),
        (b'{"instances": [[1, 2], [3]]}', "instances[0] is a list of 2, not of 4"),
        (b'{"instances": [1, [2]]}', "instances[0] is 1, not a list of 4"),
        (b'{"instances": ["abcd"]}', "instances[0] is 'abcd', not a list of 4"),
        (b'{"instances": [null]}', "instances[0] is None, not a list of 4"),
        (b'{"instances": [true]}', "instances[0] is True, not a list of 4"),
        (b'{"instances": [{"a": 1, "b": 2, "c": 3, "d": 4}]}', "instances[0] is {'a': 1, 'b': 2, ...}, not a list"),
        (b'{"instances": [[[1, 2, 3], [1, 2, 3], [1, 2], [1, 2, 3]]]}', "instances[0][2] is a list of 2, not of 3"),
        (b'{"instances": [%b, %b]}' % (GOOD, GOOD.replace(b"7", b'"7"')), "instances[1][3][1] is '7', not a number"),
        (b'{"instances": [%b, %b]}' % (GOOD, GOOD.replace(b"7", b"null")), "instances[1][3][1] is None, not a number"),
        (b'{"instances": [%b, %b]}' % (GOOD, GOOD.replace(b"7", b"true")), "instances[1][3][1] is True, not a number"),
        (b'{"instances": [%b, %b]}' % (GOOD, GOOD.replace(b"7", b"false")), "instances[1][3][1] is False, not a"),
        (b'{"instances": [%b, %b]}' % (GOOD, GOOD.replace(b"7", b"[7]")), "instances[1][3][1] is [7], not a number"),
        (b'{"instances": [%b, %b]}' % (GOOD, GOOD.replace(b"7", b"1e39")), "is 1e+39, a number too large for float32"),
        (
            b'{"instances": [%b]}' % GOOD.replace(b"7", b"-1" + b"0" * 300),
            "instances[0][3][1] is -1e+300, a number too",
        ),
        (b'{"instances": [%b]}' % GOOD.replace(b"7", b"1e999"), "not JSON"),
        (b'{"instances": ' + b"[" * 80 + b"1" + b"]" * 80 + b"}", "instances[0] is a list of 1, not of 4"),
        (b'{"inputs": [1]}', "instances[0] is 1, not a list of 4"),
    ],
)
def test_bad_json_names_what_it_found_and_the_expected_shape(body: bytes, found: str) -> None:
    error = refusal(body, JSON)
    assert error.status == 400 and found in error.message
    assert 'expected {"instances": [...]}, each instance nested lists of numbers of shape [4, 3]' in error.message


@pytest.mark.parametrize("at", range(5))
def test_the_faulty_one_of_several_instances_is_named(at: int) -> None:
    items = [GOOD] * 5
    items[at] = GOOD.replace(b"7", b"1e39")
    message = refusal(b'{"instances": [%b]}' % b",".join(items), JSON).message
    assert f"instances[{at}][3][1] is 1e+39" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_in_npy_and_csv(value: float) -> None:
    array = np.zeros((2, 4, 3))
    array[1, 2, 0] = value
    assert "instance 1 holds NaN" in refusal(npy(array), NPY).message
    assert "instance 0 holds NaN" in refusal(",".join([str(value)] * 12).encode(), CSV).message


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "not a .npy file"),
        (b"\x93NUMPY\x09\x00" + b"x" * 20, "not a .npy file of version 1, 2 or 3"),
        (npy(np.zeros((3, 4))), "shape [3, 4]"),
        (npy(np.zeros((0, 4, 3))), "shape [0, 4, 3]"),
        (npy(np.zeros(())), "shape []"),
        (npy(np.zeros((4, 3), complex)), "dtype '<c16'"),
        (npy(np.zeros((4, 3), bool)), "dtype '|b1'"),
        (npy(np.full((4, 3), "a")), "dtype '<U1'"),
        (npy(np.full((4, 3), None, object)), "dtype '|O'"),
        (npy(np.zeros((4, 3), [("a", "<f4")])), "dtype"),
        (npy(np.zeros((2, 4, 3)))[:-1], "191 bytes follow the header, its shape and dtype need 192"),
        (npy(np.zeros((2, 4, 3))) + b"x", "193 bytes follow"),
        (npy_header("x", length=60_000) + b"y" * 60_000, "header claims 60000 bytes, allowed are 4096"),
        (npy_header("x", b"\x02\x00", 2**31), "header claims 2147483648 bytes"),
        (
            npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 40 + ", 4, 3)}\n"),
            "shape is [1e+40, 4, 3]",
        ),
        (npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4, 3)}\n"), "shape is [-1, 4, 3]"),
        (npy_header("{'descr': '<f4', 'fortran_order': 1, 'shape': (4, 3)}\n"), "header cannot be read"),
        (npy_header("__import__('os').system('x')\n"), "header cannot be read"),
        (npy_header("{'descr': '\\-', 'fortran_order': False, 'shape': (4, 3)}\n"), "header cannot be read"),
        (npy_header("(" * 3000 + "\n"), "header cannot be read"),
    ],
)
def test_bad_npy_names_what_it_found_and_the_expected_shape(body: bytes, found: str) -> None:
    error = refusal(body, NPY)
    assert error.status == 400 and found in error.message
    assert "expected a .npy array of integers or floats with shape [4, 3] or [N, 4, 3]" in error.message


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "empty"),
        (b"1,2\n", "row 1 has 2 columns"),
        (b"1,2,3,4,5,6,7,8,9,10,11,12\n\n", "row 2 has 1 columns"),
        (b"a,2,3,4,5,6,7,8,9,10,11,12\n", "row 1 column 1 is 'a', not a number"),
        (b"1,2,3,4,5,6,7,8,9,10,11,1_2\n", "column 12 is '1_2'"),
        (b"1,2,3,4,5,6,7,8,9,10,11,\n", "column 12 is ''"),
        (b"1,2,3,4,5,6,7,8,9,10,11,\xff\n", "not ASCII at position"),
        (b"1,2,3,4,5,6,7,8,9,10,11,[12]\n", "column 12 is '[12]'"),
        (b"1,2,3,4,5,6,7,8,9,10,11,true\n", "column 12 is 'true'"),
        (b"1,2,3,4,5,6,7,8,9,10,11,null\n", "column 12 is 'null'"),
        (b'1,2,3,4,5,6,7,8,9,10,11,"12"\n', "column 12 is '\"12\"'"),
        (b"1,2,3],[4,5,6,7,8,9,10,11,12\n", "column 3 is '3]'"),
    ],
)
def test_bad_csv_names_row_and_column(body: bytes, found: str) -> None:
    error = refusal(body, CSV)
    assert error.status == 400 and found in error.message and "expected 12 numbers a row" in error.message


def test_an_image_for_a_model_without_images_is_refused() -> None:
    table = InputSchema(
        kind="table", name="row", dtype="float32", shape=(5,), columns=tuple(Column(name=name) for name in "abcde")
    )
    message = refusal(image("L", (3, 4), 9), PNG, table).message
    assert "use application/json, application/x-npy, text/csv" in message and "image" not in message.partition("use")[2]


def test_csv_as_python_and_others_write_it() -> None:
    body = b"+1, 2.,.5,\t4 ,05,6e0,7E+0,-8,9,10,11,12\r\n"
    assert decode(body, CSV, SCHEMA).ravel().tolist() == [1, 2, 0.5, 4, 5, 6, 7, -8, 9, 10, 11, 12]
    assert decode(body + body, CSV, SCHEMA).shape == (2, 4, 3)


def test_a_batch_may_be_written_to() -> None:
    """PyTorch warns of arrays that may not."""
    batch = np.ones((2, 4, 3), np.float32)
    for body, media in ((npy(batch), NPY), (orjson.dumps({"instances": batch.tolist()}), JSON)):
        assert decode(body, media, SCHEMA).flags.writeable


def test_unknown_content_types_are_415_and_none_means_json() -> None:
    error = refusal(b"<x/>", "application/xml")
    assert error.status == 415 and "use application/json, application/x-npy, text/csv" in error.message
    assert decode(orjson.dumps({"instances": np.ones((1, 4, 3)).tolist()}), "", SCHEMA).shape == (1, 4, 3)
