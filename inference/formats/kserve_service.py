"""What a request of KServe's V2 protocol asks of a model of each task: a program, its batch, and the answer's form.

| task | inputs |
| --- | --- |
| images | one tensor of numbers [N, *shape], whatever its name |
| texts | one BYTES tensor [N] or [N, 1] |
| tables | a tensor for each column, [N] or [N, 1], BYTES for categories (MLServer's `pd`); or numbers [N, columns] |
| generation | images, or a tensor called `latent` of numbers [N, latent] |
"""

from collections.abc import Callable, Mapping
from typing import Any

from inference.formats.decode_json import Batch, Reader
from inference.formats.decode_numbers import shown
from inference.formats.decode_table import checked, rows_to_batch
from inference.formats.encode import Encoder, output_name
from inference.formats.kserve_answers import Answer, asked_of, encoders
from inference.formats.kserve_tensors import OCTETS, TRITON, Message, Tensor, column_of, numbers_of, split, tensors
from inference.http.errors import bad_request
from inference.manifests.manifest import Manifest
from inference.manifests.records import CLASSIFICATIONS, GENERATION
from inference.manifests.schema import TABLE, TEXT, InputSchema

LATENT = "latent"
Understood = tuple[str, Batch, Mapping[str, Encoder]]
"""Program, batch and the encoders of its answer by media type."""


class Protocol:
    """V2 for one model. Raises RequestError."""

    def __init__(self, manifest: Manifest, reader: Reader, model_name: str, max_latents: int) -> None:
        self._manifest, self._reader, self._name = manifest, reader, model_name
        self._max_latents = max_latents
        self._read = _reader_of_tensors(manifest.input, reader)

    def body(self, body: bytes, headers: Mapping[str, str]) -> Understood:
        """What a whole body asks for."""
        return self.message(split(body, headers), headers)

    def message(self, message: Message, headers: Mapping[str, str]) -> Understood:
        """What a request asks for."""
        inputs = tensors(message)
        program = "predict"
        if self._manifest.task == GENERATION:
            program = "decode" if inputs[0].name == LATENT else "encode"
        batch = self._latents(inputs) if program == "decode" else self._read(inputs)
        media = TRITON if headers.get("content-type", "").lower().startswith(TRITON) else OCTETS
        return program, batch, encoders(self._answer(message.found, program), media)

    def _answer(self, found: Mapping[str, Any], program: str) -> Answer:
        labels, given = self._manifest.labels, found.get("id")
        if given is not None and not isinstance(given, str):
            raise bad_request(f"id is {shown(given)}; expected a string")
        asked = asked_of(found, outputs_of(self._manifest, program), labels)
        return Answer(model=self._name, labels=labels, id=given, asked=asked)

    def _latents(self, inputs: list[Tensor]) -> Batch:
        batch = numbers_of(_only(inputs), (self._manifest.latent,))
        if len(batch) > self._max_latents:
            raise bad_request(f"{len(batch)} latents are too many for one answer; expected at most {self._max_latents}")
        return batch


def outputs_of(manifest: Manifest, program: str) -> tuple[str, ...]:
    """The names of the tensors that come back."""
    name = output_name(manifest, program)
    return (name, "label") if manifest.task in CLASSIFICATIONS else (name,)


def _reader_of_tensors(schema: InputSchema, reader: Reader) -> Callable[[list[Tensor]], Batch]:
    if schema.kind == TEXT:
        return lambda inputs: reader.read(column_of(_only(inputs)), True)
    if schema.kind == TABLE:
        return lambda inputs: _table(inputs, schema)
    return lambda inputs: numbers_of(_only(inputs), schema.shape)


def _table(inputs: list[Tensor], schema: InputSchema) -> Batch:
    names = {column.name for column in schema.columns}
    if len(inputs) == 1 and inputs[0].name not in names:
        return checked(numbers_of(inputs[0], schema.shape, gaps=True), schema)
    columns = {tensor.name: column_of(tensor) for tensor in inputs}
    if missing := sorted(names - columns.keys()) or sorted(columns.keys() - names):
        raise bad_request(
            f"the inputs are {shown(list(columns))}; expected one for each column, and {missing[0]!r:.80} is not"
        )
    if len({len(values) for values in columns.values()}) != 1:
        raise bad_request("the inputs differ in their number of values; expected one of each for each instance")
    rows = zip(*(columns[column.name] for column in schema.columns), strict=True)
    return rows_to_batch([list(row) for row in rows], schema)


def _only(inputs: list[Tensor]) -> Tensor:
    if len(inputs) != 1:
        raise bad_request(f"the inputs are {shown([tensor.name for tensor in inputs])}; expected one")
    return inputs[0]
