"""What a task's requests ask for: which program is called with which batch, and in what forms it may be answered.

A generator's JSON says which program by its key; every other body is for `predict`, or for `encode`:

    {"instances": [image, ...]}               -> encode
    {"latents": [[...], ...]}                 -> decode
    {"samples": {"count": 4, "seed": 7}}      -> decode, of standard normal latents drawn with that seed
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference import encode
from inference.decode import Batch, Decoder, choose, decoders
from inference.decode_json import document, listed, numbers
from inference.encode import Encoder
from inference.errors import bad_request
from inference.manifest import Manifest
from inference.records import GENERATION
from inference.tokenizer import Tokenizer

MAX_IMAGES = 64  # in one answer: a hundred bytes of a request would otherwise fill the memory
MAX_SEED = 2**63 - 1
KEYS = ("instances", "latents", "samples")


class Call(NamedTuple):
    """A program, the batch it is to run on, and the encoders of its answer by media type."""

    program: str
    batch: Batch
    encoders: Mapping[str, Encoder]


Service = Callable[[bytes, str], Call]
"""(body, content type) -> Call; raises RequestError."""


def service_for(manifest: Manifest, tokenizer: Tokenizer | None) -> Service:
    """What understands the requests of the manifest's task."""
    table = decoders(manifest.input, tokenizer)
    if manifest.task == GENERATION:
        return _generation(manifest, table)
    answers = encode.encoders(manifest, "predict")

    def predict(body: bytes, content_type: str) -> Call:
        return Call("predict", choose(table, content_type)(body), answers)

    return predict


def _generation(manifest: Manifest, table: dict[str, Decoder]) -> Service:
    schema = manifest.input
    codes, images = encode.encoders(manifest, "encode"), encode.encoders(manifest, "decode")
    one_image = {**images, encode.PNG: lambda outputs: encode.image_to_png(outputs, schema)}
    wanted = (
        f'expected {{"instances": [...]}} of images of shape {list(schema.shape)}, {{"latents": [...]}} of '
        f'{manifest.latent} numbers each, or {{"samples": {{"count": 1 to {MAX_IMAGES}, "seed": a whole number}}}}'
    )

    def decode(latents: NDArray[np.float32]) -> Call:
        return Call("decode", latents, one_image if len(latents) == 1 else images)

    def json(body: bytes) -> Call:
        found = document(body, KEYS, wanted)
        if sum(key in found for key in KEYS) != 1:
            raise bad_request(f"the body holds keys {sorted(found)[:5]}; send one of {', '.join(KEYS)}; {wanted}")
        if "instances" in found:
            return Call("encode", numbers(listed(found, "instances", wanted), schema.shape, wanted), codes)
        if "latents" in found:
            return decode(_latents(listed(found, "latents", wanted), manifest.latent, wanted))
        return decode(_samples(found["samples"], manifest.latent, wanted))

    def image(decoder: Decoder) -> Callable[[bytes], Call]:
        return lambda body: Call("encode", decoder(body), codes)

    understood = {**{media: image(decoder) for media, decoder in table.items()}, encode.JSON: json}
    return lambda body, content_type: choose(understood, content_type)(body)


def _latents(items: list[Any], size: int, wanted: str) -> NDArray[np.float32]:
    if len(items) > MAX_IMAGES:
        raise bad_request(f"{len(items)} latents are too many for one answer; send at most {MAX_IMAGES}")
    return numbers(items, (size,), wanted)


def _samples(asked: Any, size: int, wanted: str) -> NDArray[np.float32]:
    """Latents float32 (count, size) of `numpy.random.default_rng(seed).standard_normal((count, size))`."""
    if not isinstance(asked, dict) or set(asked) != {"count", "seed"}:
        raise bad_request(f"samples is {asked!r:.100}; {wanted}")
    count, seed = asked["count"], asked["seed"]
    if type(count) is not int or not 1 <= count <= MAX_IMAGES:
        raise bad_request(f"samples.count is {count!r:.40}; expected a whole number from 1 to {MAX_IMAGES}")
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise bad_request(f"samples.seed is {seed!r:.40}; expected a whole number from 0 to {MAX_SEED}")
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
