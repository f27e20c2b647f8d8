"""What a task's requests ask for: which program is called with which batch, and in what forms it may be answered.

A generator's JSON says which program by its key; every other body is for `predict`, or for `encode`:

    {"instances": [image, ...]}               -> encode
    {"latents": [[...], ...]}                 -> decode; as JSON lines {"latent": [...]}, as `encode` answers them
    {"samples": {"count": 4, "seed": 7}}      -> decode, of standard normal latents drawn with that seed

KServe's V2 requests are understood as well. A request in JSON lines is answered in JSON lines where it does not say
otherwise, all others in JSON.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.formats import encode, kserve_tensors
from inference.formats.decode import JSON, JSON_LINES, Batch, Decoder, choose, decoders, reader_of
from inference.formats.decode_compressed import unpacked
from inference.formats.decode_json import Reader, document, holding, instances, listed, may_hold_truths
from inference.formats.decode_lines import decode_lines, lines, unwrap
from inference.formats.decode_numbers import numbers, shown
from inference.formats.encode import Encoder
from inference.formats.kserve_service import LATENT, Protocol
from inference.http.errors import bad_request
from inference.http.messages import Request
from inference.manifests.manifest import Manifest
from inference.manifests.records import GENERATION
from inference.manifests.tokenizer import Tokenizer

DEFAULT_MODEL_NAME = "model"
DEFAULT_MAX_BYTES = 25 * 2**20
V2_PATHS = "/v2/"
MAX_IMAGES = 64  # in one answer: a hundred bytes of a request would otherwise fill the memory
MAX_SEED = 2**63 - 1
KEYS = ("instances", "latents", "samples")


class Call(NamedTuple):
    """A program, the batch it is to run on, and the encoders of its answer by media type, the preferred one first."""

    program: str
    batch: Batch
    encoders: Mapping[str, Encoder]


Service = Callable[[Request], Call]
"""Raises RequestError."""
Understand = Callable[[bytes, Mapping[str, str]], Call]
"""(body, headers) -> Call."""


def service_for(
    manifest: Manifest,
    tokenizer: Tokenizer | None,
    *,
    model_name: str = DEFAULT_MODEL_NAME,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Service:
    """What understands the requests of the manifest's task; a compressed body may unpack to `max_bytes`."""
    task = _Task(manifest, tokenizer, model_name)
    understood = task.table()
    only_v2 = dict.fromkeys((JSON, kserve_tensors.OCTETS, kserve_tensors.TRITON), task.v2)

    def service(request: Request) -> Call:
        headers, body = request.headers, request.body
        if "content-encoding" in headers:
            body = unpacked(body, headers["content-encoding"], max_bytes)
        media = headers.get("content-type", "")
        known = only_v2 if request.path.startswith(V2_PATHS) else understood
        return (known.get(media) or choose(known, media))(body, headers)

    return service


class _Task:
    """The content types of a model and what their bodies ask for."""

    def __init__(self, manifest: Manifest, tokenizer: Tokenizer | None, model_name: str) -> None:
        self._reader, self._decoders = reader_of(manifest.input, tokenizer), decoders(manifest.input, tokenizer)
        self._protocol = Protocol(manifest, self._reader, model_name, MAX_IMAGES)
        kind = _Generation if manifest.task == GENERATION else _Prediction
        self._asked: _Prediction = kind(manifest, self._reader)

    def table(self) -> dict[str, Understand]:
        """By content type, JSON first."""
        others = {media: self._of(media, decoder) for media, decoder in self._decoders.items()}
        return {JSON: self.json, **{media: others[media] for media in others if media != JSON}, **self._v2_only()}

    def json(self, body: bytes, headers: Mapping[str, str]) -> Call:
        """Instances, or a V2 request."""
        if kserve_tensors.LENGTH_HEADER in headers:
            return self.v2(body, headers)
        found, truths = document(body, self._reader.wanted), may_hold_truths(body)
        if type(found) is dict and "instances" not in found and kserve_tensors.is_request(found):
            return Call(*self._protocol.message(kserve_tensors.Message(found, truths=truths), headers))
        return self._asked.json(found, truths)

    def v2(self, body: bytes, headers: Mapping[str, str]) -> Call:
        """A V2 request and nothing else."""
        return Call(*self._protocol.body(body, headers))

    def _v2_only(self) -> dict[str, Understand]:
        return {kserve_tensors.OCTETS: self.v2, kserve_tensors.TRITON: self.v2}

    def _of(self, media: str, decoder: Decoder) -> Understand:
        if media in JSON_LINES:
            return lambda body, headers: self._asked.lines(body)
        return lambda body, headers: self._asked.batch(decoder(body))


class _Prediction:
    """Every instance is for the one program."""

    program = "predict"

    def __init__(self, manifest: Manifest, reader: Reader) -> None:
        self._reader, self._answers = reader, encode.encoders(manifest, self.program)
        self._by_line = encode.lines_first(self._answers)

    def json(self, found: Any, truths: bool) -> Call:
        """What a document asks for that is no V2 request."""
        return self.batch(self._reader.read(instances(found, self._reader), truths))

    def lines(self, body: bytes) -> Call:
        """What JSON lines ask for."""
        return Call(self.program, decode_lines(body, self._reader), self._by_line)

    def batch(self, batch: Batch) -> Call:
        """What instances ask for."""
        return Call(self.program, batch, self._answers)


class _Generation(_Prediction):
    """Images are encoded; latents, given or drawn, are decoded."""

    program = "encode"

    def __init__(self, manifest: Manifest, reader: Reader) -> None:
        super().__init__(manifest, reader)
        schema, self._size = manifest.input, manifest.latent
        self._images = encode.encoders(manifest, "decode")
        self._one_image = {**self._images, encode.PNG: lambda outputs: encode.image_to_png(outputs, schema)}
        self._wanted = (
            f'expected {{"instances": [...]}} of images of shape {list(schema.shape)}, {{"latents": [...]}} of '
            f'{self._size} numbers each, or {{"samples": {{"count": 1 to {MAX_IMAGES}, "seed": a whole number}}}}'
        )

    def json(self, found: Any, truths: bool) -> Call:
        """One of KEYS, or bare images."""
        given = [key for key in KEYS if key in found] if isinstance(found, dict) else []
        if len(given) > 1:
            raise bad_request(f"the body holds {holding(found)}; send one of {', '.join(KEYS)}; {self._wanted}")
        if given == ["latents"]:
            return self._decode(_latents(listed(found, "latents", self._wanted), self._size, self._wanted))
        if given == ["samples"]:
            return self._decode(_samples(found["samples"], self._size, self._wanted))
        return super().json(found, truths)

    def lines(self, body: bytes) -> Call:
        """Images or latents, as the first line has it."""
        items = lines(body, lambda item: item, self._wanted)
        if isinstance(items[0], dict) and LATENT in items[0]:
            found = [item.get(LATENT) if isinstance(item, dict) else item for item in items]
            program, batch, encoders = self._decode(_latents(found, self._size, self._wanted))
            return Call(program, batch, encode.lines_first(encoders))
        images = [unwrap(item) for item in items]
        return Call(self.program, self._reader.read(images, may_hold_truths(body)), self._by_line)

    def _decode(self, latents: NDArray[np.float32]) -> Call:
        return Call("decode", latents, self._one_image if len(latents) == 1 else self._images)


def _latents(items: list[Any], size: int, wanted: str) -> NDArray[np.float32]:
    if len(items) > MAX_IMAGES:
        raise bad_request(f"{len(items)} latents are too many for one answer; expected at most {MAX_IMAGES}")
    return numbers(items, (size,), wanted, place="latents")


def _samples(asked: Any, size: int, wanted: str) -> NDArray[np.float32]:
    """Latents float32 (count, size) of `numpy.random.default_rng(seed).standard_normal((count, size))`."""
    if not isinstance(asked, dict) or set(asked) != {"count", "seed"}:
        raise bad_request(f"samples is {shown(asked)}; {wanted}")
    count, seed = asked["count"], asked["seed"]
    if type(count) is not int or not 1 <= count <= MAX_IMAGES:
        raise bad_request(f"samples.count is {shown(count)}; expected a whole number from 1 to {MAX_IMAGES}")
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise bad_request(f"samples.seed is {shown(seed)}; expected a whole number from 0 to {MAX_SEED}")
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
