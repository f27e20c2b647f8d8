"""The data of transform jobs without a job: paths, records and their mini-batches, filters and joins."""

import gzip
import struct
from typing import Any

import pytest

from localaws.sagemaker.transform import jsonpath, processing
from localaws.sagemaker.transform.records import MB_BYTES, RECORDIO_MAGIC, Record, RecordError, batches, split, unpack

ROW = ["a", "b", "c", "d"]
OBJECT = {"id": 7, "features": {"x": 1, "y": [1, 2, 3]}, "tags": [{"name": "p"}, {"name": "q"}]}


# Paths


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("$", ROW, ROW),
        ("$[0]", ROW, "a"),
        ("$[-1]", ROW, "d"),
        ("$[0,2]", ROW, ["a", "c"]),
        ("$[1:]", ROW, ["b", "c", "d"]),
        ("$[1:2]", ROW, ["b", "c"]),  # the end is included
        ("$[:1]", ROW, ["a", "b"]),
        ("$[:]", ROW, ROW),
        ("$[0,2:]", ROW, ["a", "c", "d"]),
        ("$[2:9]", ROW, ["c", "d"]),
        ("$[*]", ROW, ROW),
        ("$.id", OBJECT, 7),
        ("$['id']", OBJECT, 7),
        ('$["id"]', OBJECT, 7),
        ("$.features.y[0]", OBJECT, 1),
        ("$.features.y[1:2]", OBJECT, [2, 3]),
        ("$.features.['x','y']", OBJECT, {"x": 1, "y": [1, 2, 3]}),
        ("$['id','features']", OBJECT, {"id": 7, "features": {"x": 1, "y": [1, 2, 3]}}),
        ("$.features.*", OBJECT, [1, [1, 2, 3]]),
        ("$.tags[*].name", OBJECT, ["p", "q"]),
        ("$.tags[0].name", OBJECT, "p"),
    ],
)
def test_a_path_picks(path: str, value: Any, expected: Any) -> None:
    assert jsonpath.select(jsonpath.parse(path), value) == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("id", r"it must begin with \$"),
        ("$id", "cannot read 'id'"),
        ("$.", "cannot read"),
        ("$[a]", r"cannot read \[a\]"),
        ("$['a', 1]", "cannot read"),
        ("$..a", "cannot read"),
        ("$[0:2,3:]", r"only single range filters of format \(eg: \[1:5\]\) are supported"),
        ("$['a','b'].c", "nothing may follow a list of names"),
    ],
)
def test_a_wrong_path_is_told(path: str, text: str) -> None:
    with pytest.raises(jsonpath.PathError, match=f"Invalid JsonPath: .*{text}"):
        jsonpath.parse(path)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("$[4]", ROW, "index 4 is outside of a record of 4 columns"),
        ("$[0,-5]", ROW, "index -5 is outside"),
        ("$.name", OBJECT, "no attribute name; it has id, features, tags"),
        ("$.id", ROW, "of type list has no attribute id"),
        ("$[0]", OBJECT, "no items to choose by index"),
    ],
)
def test_data_without_what_a_path_names_are_told(path: str, value: Any, text: str) -> None:
    with pytest.raises(jsonpath.PathError, match=text):
        jsonpath.select(jsonpath.parse(path), value)


# Records and mini-batches


def recordio(*parts: tuple[int, bytes]) -> bytes:
    frames = [struct.pack("<II", RECORDIO_MAGIC, part << 29 | len(data)) + data for part, data in parts]
    return b"".join(frame + bytes(-len(frame) % 4) for frame in frames)


def tfrecord(*payloads: bytes) -> bytes:
    return b"".join(struct.pack("<QI", len(data), 1) + data + struct.pack("<I", 2) for data in payloads)


def test_lines_keep_their_breaks_only_in_their_frame() -> None:
    assert list(split(b"1\n\n3", "Line")) == [Record(b"1\n", b"1"), Record(b"\n", b""), Record(b"3", b"3")]
    assert list(split(b"", "Line")) == []
    assert list(split(b"1\n2\n", "None")) == [Record(b"1\n2\n", b"1\n2\n")]


def test_recordio_frames_are_read_whole_and_cut_ones_are_joined() -> None:
    one, two = recordio((0, b"hello")), recordio((1, b"ab"), (2, b""), (3, b"cd"))
    magic = struct.pack("<I", RECORDIO_MAGIC)
    assert list(split(one + two, "RecordIO")) == [Record(one, b"hello"), Record(two, b"ab" + magic + magic + b"cd")]


def test_tfrecord_frames_are_read_whole() -> None:
    content = tfrecord(b"one", b"")
    assert list(split(content, "TFRecord")) == [Record(tfrecord(b"one"), b"one"), Record(tfrecord(b""), b"")]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x01\x02", "RecordIO"),
        (struct.pack("<II", 1, 0), "RecordIO"),
        (recordio((0, b"hello"))[:10], "RecordIO"),
        (b"\x01\x02", "TFRecord"),
        (tfrecord(b"hello")[:-1], "TFRecord"),
    ],
)
def test_a_broken_frame_is_told(content: bytes, kind: str) -> None:
    with pytest.raises(RecordError, match=f"Failed to read the input as {kind}: .*at byte 0"):
        list(split(content, kind))


def test_gzip_is_unpacked_and_what_is_none_is_told() -> None:
    assert unpack(gzip.compress(b"x"), "Gzip") == b"x"
    assert unpack(b"x", "None") == b"x"
    for wrong in (b"x", gzip.compress(b"x" * 99)[:-9]):
        with pytest.raises(RecordError, match="Failed to decompress the input as Gzip"):
            unpack(wrong, "Gzip")


def sizes(content: bytes, *, limit_mb: int, single: bool = False) -> list[int]:
    found = batches(split(content, "Line"), lambda record: record.framed, limit_mb=limit_mb, single=single)
    return [len(batch.records) for batch in found]


def test_a_batch_has_as_many_records_as_fit() -> None:
    line = b"x" * (MB_BYTES * 2 // 5 - 1) + b"\n"
    assert sizes(line * 5, limit_mb=1) == [2, 2, 1]
    assert sizes(line * 5, limit_mb=1, single=True) == [1] * 5
    assert sizes(line * 5, limit_mb=0) == [5]
    assert sizes(b"", limit_mb=1) == []
    with pytest.raises(RecordError, match=f"Too much data for max payload size: a record of {MB_BYTES + 1} bytes"):
        sizes(b"x" * (MB_BYTES + 1), limit_mb=1)


# Filters and joins


def job(kind: str, **processing_fields: str) -> dict[str, Any]:
    return {
        "TransformInput": {"ContentType": kind},
        "TransformOutput": {"AssembleWith": "Line"},
        "DataProcessing": processing_fields,
    }


def through(request: dict[str, Any], lines: list[bytes], answer: bytes, *, single: bool = False) -> tuple[bytes, bytes]:
    """(body of the request, part of the output) of one mini-batch."""
    found = processing.of(request, single=single)
    records = [Record(line + b"\n", line) for line in lines]
    return b"".join(found.encode(record) for record in records), found.assemble(records, answer)


def test_without_filters_bytes_pass_as_they_are() -> None:
    request = job("image/png", InputFilter="$", OutputFilter="$", JoinSource="None")
    assert through(request, [b"\xff", b"\xfe"], b"\x01") == (b"\xff\n\xfe\n", b"\x01\n")
    assert through(request, [b"\xff"], b"\x01\n", single=True) == (b"\xff", b"\x01\n")
    plain = {**request, "TransformOutput": {"AssembleWith": "None"}}
    assert through(plain, [b"\xff"], b"\x01") == (b"\xff\n", b"\x01")


def test_columns_are_left_out_on_the_way_in_and_joined_on_the_way_out() -> None:
    request = job("text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    assert through(request, [b"id1,1,2", b"id2,3,4"], b"0.5\n0.7\n") == (b"1,2\n3,4\n", b"id1,0.5\nid2,0.7\n")
    assert through(request, [b"id1,1,2"], b"0.5", single=True) == (b"1,2", b"id1,0.5\n")


def test_quoted_columns_stay_whole() -> None:
    request = job("text/csv", JoinSource="Input")
    assert through(request, [b'"a,b",1'], b'"say ""no"""\n')[1] == b'"a,b",1,"say ""no"""\n'


def test_an_object_of_json_gains_the_answer() -> None:
    request = job("application/jsonlines", InputFilter="$.features", JoinSource="Input")
    body, output = through(request, [b'{"id": 1, "features": [1, 2]}'], b'{"label": 1}\n')
    assert (body, output) == (b"[1,2]\n", b'{"id":1,"features":[1,2],"SageMakerOutput":{"label":1}}\n')


def test_what_is_no_object_of_json_is_put_into_one() -> None:
    request = job("application/json", JoinSource="Input", OutputFilter="$['SageMakerInput','SageMakerOutput']")
    assert through(request, [b"[1, 2]"], b"3", single=True)[1] == b'{"SageMakerInput":[1,2],"SageMakerOutput":3}\n'


def test_a_whole_document_of_json_may_have_line_breaks() -> None:
    request = {**job("application/json", JoinSource="Input"), "TransformOutput": {"AssembleWith": "None"}}
    assert through(request, [b'{\n"a": 1}'], b'{\n"b": 2}', single=True)[1] == b'{"a":1,"SageMakerOutput":{"b":2}}'


@pytest.mark.parametrize(
    ("request_", "line", "answer", "text"),
    [
        (job("text/csv", JoinSource="Input"), b'a"b,"c', b"1", "Failed to parse input as CSV"),
        (job("text/csv", JoinSource="Input"), b"1", b'"', "Failed to parse output from the algorithm as CSV"),
        (job("text/csv", JoinSource="Input"), b"1", b"1\n2", "Failed to parse output from the algorithm as CSV"),
        (job("application/json", InputFilter="$.a"), b"{", b"1", "Failed to parse input as JSON"),
        (
            job("application/json", OutputFilter="$.a"),
            b"{}",
            b"no",
            "Failed to parse output from the algorithm as JSON",
        ),
        (job("application/json", OutputFilter="$.a"), b"{}", b"{}", "Failed to apply the filter: .* no attribute a"),
        (job("text/csv", OutputFilter="$[5]"), b"1", b"1", "Failed to apply the filter: index 5 is outside"),
        (job("text/csv", OutputFilter="$[1:2,3:]"), b"1", b"1", "Invalid JsonPath"),
    ],
)
def test_data_that_do_not_fit_are_told(request_: dict[str, Any], line: bytes, answer: bytes, text: str) -> None:
    with pytest.raises(RecordError, match=text):
        through(request_, [line], answer)


def test_an_answer_of_other_records_is_told() -> None:
    with pytest.raises(RecordError, match="answered 1 records to a request of 2 records"):
        through(job("text/csv", JoinSource="Input"), [b"1", b"2"], b"1\n")
