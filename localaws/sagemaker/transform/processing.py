"""What a transform job does to records on their way in and out: InputFilter, JoinSource, OutputFilter, AssembleWith.

A row of CSV is a list of columns; a join appends the answer's columns to the row's. A record of JSON gains the member
SageMakerOutput; one that is no object becomes {"SageMakerInput": ..., "SageMakerOutput": ...}.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.sagemaker.transform import jsonpath
from localaws.sagemaker.transform.records import Record, RecordError

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
FORMATS = (CSV, JSON, JSON_LINES)


def media_type(value: str) -> str:
    """`text/csv; charset=utf-8` as "text/csv"."""
    return value.partition(";")[0].strip().lower()


def wanted(request: Mapping[str, Any]) -> bool:
    """Whether the job filters or joins at all; the defaults pass everything on as it is."""
    given = request.get("DataProcessing", {})
    return given.get("JoinSource", "None") != "None" or any(
        given.get(name, "$") != "$" for name in ("InputFilter", "OutputFilter")
    )


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Bytes in, bytes out. `by_line`: AssembleWith Line."""

    single: bool
    by_line: bool

    def encode(self, record: Record) -> bytes:
        """The record's part of a request's body."""
        return record.payload if self.single else record.framed

    def assemble(self, records: Sequence[Record], answer: bytes) -> bytes:
        """The part of the output object that the answer to these records makes."""
        return answer if not self.by_line or answer.endswith(b"\n") else answer + b"\n"


class Filtered:
    """Records parsed, filtered and joined. Raises RecordError where data and paths do not fit."""

    def __init__(self, request: Mapping[str, Any], *, single: bool) -> None:
        given = request["DataProcessing"]
        self._single = single
        self._join = given.get("JoinSource", "None") == "Input"
        self._by_line = request["TransformOutput"].get("AssembleWith", "None") == "Line"
        self._format: Csv | Json = Csv() if media_type(request["TransformInput"]["ContentType"]) == CSV else Json()
        self._input, self._output = (_path(given.get(name, "$")) for name in ("InputFilter", "OutputFilter"))

    def encode(self, record: Record) -> bytes:
        if not self._input:
            return record.payload if self._single else _ended(record.payload)
        text = self._format.write(_select(self._input, self._format.read(record.payload, "input")))
        return text.encode() if self._single else _ended(text.encode())

    def assemble(self, records: Sequence[Record], answer: bytes) -> bytes:
        bare = answer.rstrip(b"\r\n")
        answers = bare.split(b"\n") if len(records) > 1 else [bare]
        if len(answers) != len(records):
            raise RecordError(f"The algorithm answered {len(answers)} records to a request of {len(records)} records")
        made = [self._made(record, own) for record, own in zip(records, answers, strict=True)]
        return b"".join(_ended(text) if self._by_line else text for text in made)

    def _made(self, record: Record, answer: bytes) -> bytes:
        value = self._format.read(answer, "output from the algorithm")
        if self._join:
            value = self._format.join(self._format.read(record.payload, "input"), value)
        return self._format.write(_select(self._output, value)).encode()


def of(request: Mapping[str, Any], *, single: bool) -> Plain | Filtered:
    """The processing that a job asks for. Raises RecordError for a wrong path."""
    if wanted(request):
        return Filtered(request, single=single)
    return Plain(single=single, by_line=request["TransformOutput"].get("AssembleWith", "None") == "Line")


def _path(text: str) -> jsonpath.Path:
    try:
        return jsonpath.parse(text)
    except jsonpath.PathError as error:
        raise RecordError(str(error)) from error


def _select(path: jsonpath.Path, value: Any) -> Any:
    try:
        return jsonpath.select(path, value)
    except jsonpath.PathError as error:
        raise RecordError(f"Failed to apply the filter: {error}") from error


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"


class Csv:
    """One line is one record, as RFC 4180 without line breaks inside of fields."""

    def read(self, line: bytes, what: str) -> list[str]:
        try:
            rows = list(csv.reader([line.decode().rstrip("\r\n")], strict=True))
        except (csv.Error, UnicodeDecodeError) as error:
            raise RecordError(f"Failed to parse {what} as CSV: {error}") from error
        return rows[0] if rows else []

    def write(self, value: Any) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="").writerow(value if isinstance(value, list) else [value])
        return buffer.getvalue()

    def join(self, record: list[str], answer: list[str]) -> list[str]:
        return [*record, *answer]


class Json:
    """Any JSON value."""

    def read(self, text: bytes, what: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise RecordError(f"Failed to parse {what} as JSON: {error}") from error

    def write(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def join(self, record: Any, answer: Any) -> dict[str, Any]:
        inputs = record if isinstance(record, dict) else {"SageMakerInput": record}
        return {**inputs, "SageMakerOutput": answer}
