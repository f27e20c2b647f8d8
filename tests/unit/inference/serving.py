"""Small models of each kind, served in this process: a request's bytes in, an answer's bytes out, no socket between.

The weights come from a seed of each model's own, so adding one changes none of the others' answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from inference import artifact
from inference.formats.service import Service, service_for
from inference.http.errors import RequestError
from inference.http.messages import Request, error_response
from inference.http.negotiate import negotiate
from inference.manifests.manifest import Manifest
from tests.unit.inference.conftest import LABELS, SHAPE, Model, manifest_of
from tests.unit.inference.zoo import TOKENS, WORDS, Decoder, Encoder, Recurrent, Table

PREDICT = {"predict": "model.pt2"}
TEXTS = ["a good film, so good!", "a bad film and so long", "good or bad ?"]


@dataclass(frozen=True, kw_only=True)
class Served:
    """A service and the modules of its programs."""

    manifest: Manifest
    service: Service
    programs: Mapping[str, nn.Module]

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> "Answer":
        """What a server with this model would answer."""
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            call = self.service(Request(method=method, path=path, headers=lower, body=body))
            media = negotiate(lower.get("accept", ""), call.encoders)
        except RequestError as error:
            response = error_response(error)
            assert isinstance(response.body, bytes)
            return Answer(status=int(error.status), content_type=response.content_type, body=response.body)
        with torch.inference_mode():
            outputs: np.ndarray = self.programs[call.program](torch.from_numpy(call.batch)).numpy()
        encoded = call.encoders[media](outputs)
        if isinstance(encoded, bytes):
            return Answer(status=200, content_type=media, body=encoded)
        return Answer(
            status=200, content_type=encoded.content_type or media, body=encoded.body, headers=dict(encoded.headers)
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def images() -> Served:
    """Grey images of 4 x 3 -> three labels."""
    schema = artifact.InputSchema(kind="image", name="image", dtype="float32", shape=SHAPE, minimum=0.0, maximum=10.0)
    return _served(manifest_of("image-classification", schema, [], PREDICT, labels=LABELS), predict=Model)


def texts() -> Served:
    """Six words -> three labels."""
    schema = artifact.InputSchema(
        kind="text", name="text", dtype="int64", shape=(TOKENS,), tokenizer=artifact.TOKENIZER_NAME
    )
    labels = ("bad", "good", "neither")
    return _served(manifest_of("text-classification", schema, [], PREDICT, labels=labels), predict=Recurrent)


def tables() -> Served:
    """Three numbers and a category -> a value."""
    columns = tuple(artifact.Column(name=name) for name in ("rooms", "area", "year"))
    heating = artifact.Column(name="heating", categories=("gas", "oil", "wood", "none"))
    schema = artifact.InputSchema(kind="table", name="row", dtype="float32", shape=(4,), columns=(*columns, heating))
    return _served(manifest_of("tabular-regression", schema, [], PREDICT), predict=Table)


def generator() -> Served:
    """Grey images of 8 x 8 <-> four numbers."""
    schema = artifact.InputSchema(kind="image", name="image", dtype="float32", shape=(8, 8), minimum=0.0, maximum=16.0)
    programs = {"encode": "encode.pt2", "decode": "decode.pt2"}
    return _served(manifest_of("image-generation", schema, [], programs, latent=4), encode=Encoder, decode=Decoder)


def _served(manifest: Manifest, **programs: Callable[[], nn.Module]) -> Served:
    built = {}
    for name, build in programs.items():
        torch.manual_seed(7)
        built[name] = build().eval()
    return Served(
        manifest=manifest, service=service_for(manifest, artifact.Tokenizer.train(TEXTS, WORDS)), programs=built
    )
