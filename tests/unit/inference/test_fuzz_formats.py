"""Fifteen thousand hostile bodies, over all formats and kinds: each is a batch of the schema or a 4xx.

Valid bodies are damaged byte by byte and token by token, by a seeded generator, and JSON values are made up by
hypothesis.
"""

import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.inference.fuzzing import JSON, LINES, VALID, Sent, outcome

ROUNDS = 280  # damaged bodies of each valid one
DIGITS = b"0123456789"
NASTY = (
    [b"NaN", b"-Infinity", b"1e39", b"1e999", b"-0", b"1" * 400, b"18446744073709551616", b"null", b"true", b"false"]
    + [b"[", b"]", b"[]", b"{}", b"{", b"}", b",", b'"', b'""', b":", b"\\ud800", b"\\u0000", b"\0", b"\n", b"\r", b" "]
    + [b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"'|O'", b"'<f2'", b"'<c16'", b"True", b"(99999999999999,)", b"-1"]
    + [b'"shape":[-1]', b'"shape":[9223372036854775807,9]', b'"datatype":"BYTES"', b'"binary_data_size":99', b"PK\5\6"]
    + [b"instances", b"inputs", b"latents", b"samples", b"features", b"_", b"+", b".", b"e", b"\x93NUMPY", b"[" * 2000]
)


def damaged(rng: random.Random, body: bytes, others: list[bytes]) -> bytes:
    """One or two changes of a body."""
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(body) + 1)
        to = min(len(body), at + rng.choice((0, 1, 1, 1, 2, 8, 64)))
        piece = rng.choice(
            (
                b"",
                bytes([rng.choice(DIGITS)]),
                rng.choice(NASTY),
                rng.choice(NASTY),
                rng.randbytes(rng.randint(1, 8)),
                body[rng.randrange(len(body) + 1) :][:64],
                rng.choice(others)[rng.randrange(20) :][: rng.randint(1, 200)],
            )
        )
        body = body[:at] if rng.random() < 0.05 else body[:at] + piece + body[to:]
    return body


def headers_of(rng: random.Random, headers: dict[str, str], others: list[Sent]) -> dict[str, str]:
    """Now and then those of another body, or lengths that do not fit."""
    chance = rng.random()
    if chance < 0.1:
        return rng.choice(others)[0]
    if chance < 0.15:
        return headers | {"inference-header-content-length": rng.choice(("", "0", "5", "99999999999", "-3", "x"))}
    return headers


@pytest.mark.parametrize("kind", VALID)
def test_the_bodies_that_are_damaged_are_right_before(kind: str) -> None:
    assert all(outcome(kind, sent) for sent in VALID[kind])


@pytest.mark.parametrize("kind", VALID)
def test_damaged_bodies_are_batches_or_refused(kind: str) -> None:
    rng = random.Random(f"{kind} 7")
    everything = [sent for sents in VALID.values() for sent in sents]
    bodies = [body for _, body in everything]
    accepted = 0
    for headers, body in VALID[kind]:
        for _ in range(ROUNDS):
            sent = headers_of(rng, headers, everything), damaged(rng, body, bodies)
            accepted += outcome(kind, sent)
    assert 0.02 < accepted / (len(VALID[kind]) * ROUNDS) < 0.7  # else the damage teaches nothing


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["red", "good", "FP32", "BYTES", "image", "age", "scores"]),
)
KEYS = st.sampled_from(
    ["instances", "inputs", "outputs", "latents", "samples", "count", "seed", "age", "colour", "id", "parameters"]
    + ["name", "shape", "datatype", "data", "binary_data_size", "classification", "instance", "features", "latent"]
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
TENSORS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["image", "age", "colour", "latent", "x"]) | LEAVES,
            "shape": st.lists(st.integers(-1, 4) | st.integers(), max_size=4) | LEAVES,
            "datatype": st.sampled_from(["FP32", "INT8", "BYTES", "BOOL", "FP16"]) | LEAVES,
        },
        optional={"data": VALUES, "parameters": VALUES},
    ),
    max_size=3,
)
BODIES = st.one_of(
    VALUES,
    st.fixed_dictionaries({"instances": VALUES}),
    st.fixed_dictionaries({"inputs": VALUES}),
    st.fixed_dictionaries({"inputs": TENSORS}, optional={"outputs": VALUES, "parameters": VALUES, "id": VALUES}),
)


@pytest.mark.parametrize("kind", VALID)
@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(st.sampled_from([JSON, LINES]), BODIES)
def test_made_up_json_is_a_batch_or_refused(kind: str, media: str, document: object) -> None:
    outcome(kind, ({"content-type": media}, orjson.dumps(document)))


@pytest.mark.parametrize("kind", VALID)
@settings(max_examples=50, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_raw_bytes_are_a_batch_or_refused(kind: str, data: st.DataObject) -> None:
    media = data.draw(st.sampled_from([sent[0].get("content-type", JSON) for sent in VALID[kind]]))
    outcome(kind, ({"content-type": media}, data.draw(st.binary(max_size=200))))
