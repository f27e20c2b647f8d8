"""What the requests of each task ask for, above all those of a generator."""

import dataclasses
import gzip
import io
import json

import numpy as np
import orjson
import pytest
from PIL import Image

from inference import artifact
from inference.formats.service import Call, Service, service_for
from inference.http.errors import RequestError
from inference.http.messages import Request
from inference.http.negotiate import negotiate
from tests.unit.inference.conftest import LABELS, manifest_of

SCHEMA = artifact.InputSchema(kind="image", name="image", dtype="float32", shape=(4, 3), minimum=0.0, maximum=10.0)
GENERATION = manifest_of("image-generation", SCHEMA, [], {"encode": "encode.pt2", "decode": "decode.pt2"}, latent=2)
GENERATE = service_for(GENERATION, None)
JSON, PNG, LINES = "application/json", "image/png", "application/jsonlines"


def ask(service: Service, body: bytes, media: str = JSON, **headers: str) -> Call:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return service(Request(method="POST", path="/invocations", headers={"content-type": media, **named}, body=body))


def generate(body: bytes, media: str = JSON) -> Call:
    return ask(GENERATE, body, media)


def refusal(service: Service, body: bytes, media: str = JSON) -> str:
    with pytest.raises(RequestError) as caught:
        ask(service, body, media)
    assert 400 <= caught.value.status < 500
    return caught.value.message


def test_a_prediction_has_one_program() -> None:
    manifest = manifest_of("image-classification", SCHEMA, [], {"predict": "model.pt2"}, labels=LABELS)
    call = ask(service_for(manifest, None), orjson.dumps({"instances": np.ones((2, 4, 3)).tolist()}), "")
    assert call.program == "predict" and call.batch.shape == (2, 4, 3)
    assert list(call.encoders) == [
        "application/json",
        "text/csv",
        "application/x-npy",
        "application/jsonlines",
        "application/x-ndjson",
        "application/x-jsonlines",
        "application/x-npz",
    ]
    scores = np.array([[0.25, 0.5, 0.25]], np.float32)
    assert json.loads(call.encoders[JSON](scores))["predictions"][0]["label"] == "one"


def test_a_regression_answers_with_values() -> None:
    schema = artifact.InputSchema(
        kind="table", name="row", dtype="float32", shape=(1,), columns=(artifact.Column(name="a"),)
    )
    service = service_for(manifest_of("tabular-regression", schema, [], {"predict": "model.pt2"}), None)
    call = ask(service, b"1\n2\n", "text/csv")
    assert call.batch.tolist() == [[1], [2]]
    assert json.loads(call.encoders[JSON](call.batch)) == {"predictions": [{"value": 1}, {"value": 2}]}
    assert call.encoders["text/csv"](call.batch) == b"1.0\n2.0\n"


def test_images_are_encoded_in_every_form() -> None:
    image = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    npy, png = io.BytesIO(), io.BytesIO()
    np.save(npy, image)
    Image.new("L", (3, 4), 255).save(png, "PNG")
    for body, media in (
        (orjson.dumps({"instances": image.tolist()}), JSON),
        (npy.getvalue(), "application/x-npy"),
        (",".join(map(str, range(12))).encode(), "text/csv"),
    ):
        call = generate(body, media)
        assert call.program == "encode"
        np.testing.assert_array_equal(call.batch, image)
    call = generate(png.getvalue(), PNG)
    assert call.program == "encode" and (call.batch == 10).all() and PNG not in call.encoders
    answer = json.loads(call.encoders[JSON](np.array([[0.5, -1]], np.float32)))
    assert answer == {"predictions": [{"latent": [0.5, -1]}]}


def test_latents_are_decoded() -> None:
    call = generate(b'{"latents": [[1, 2], [3, 4.5]]}', JSON)
    assert call.program == "decode" and call.batch.tolist() == [[1, 2], [3, 4.5]] and call.batch.dtype == np.float32
    images = np.zeros((2, 4, 3), np.float32)
    assert (
        json.loads(call.encoders[JSON](images)) == {"predictions": [{"image": [[0] * 3] * 4}] * 2}
        and PNG not in call.encoders
    )


def test_samples_are_standard_normal_latents_of_their_seed() -> None:
    call = generate(b'{"samples": {"count": 3, "seed": 7}}', JSON)
    expected = np.random.default_rng(7).standard_normal((3, 2))
    assert call.program == "decode" and call.batch.dtype == np.float32
    np.testing.assert_array_equal(call.batch, expected.astype(np.float32))
    assert generate(b'{"samples": {"seed": 9223372036854775807, "count": 64}}', JSON).batch.shape == (64, 2)


def test_one_image_can_be_had_as_png() -> None:
    for body in (b'{"samples": {"count": 1, "seed": 0}}', b'{"latents": [[0, 0]]}'):
        png = generate(body, JSON).encoders[PNG](np.full((1, 4, 3), 10, np.float32))
        assert (np.asarray(Image.open(io.BytesIO(png))) == 255).all()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "not JSON"),
        (b"{}", "the body holds keys []"),
        (b"7", "the body holds a int"),
        (b'{"samples": {"count": 1, "seed": 0}, "latents": [[1, 2]]}', "send one of instances, latents, samples"),
        (b'{"samples": 3}', "samples is 3"),
        (b'{"samples": {"count": 1}}', "samples is {'count': 1}"),
        (b'{"samples": {"count": 0, "seed": 0}}', "samples.count is 0; expected a whole number from 1 to 64"),
        (b'{"samples": {"count": 65, "seed": 0}}', "samples.count is 65"),
        (b'{"samples": {"count": true, "seed": 0}}', "samples.count is True"),
        (b'{"samples": {"count": 1.0, "seed": 0}}', "samples.count is 1.0"),
        (b'{"samples": {"count": 1, "seed": -1}}', "samples.seed is -1"),
        (b'{"samples": {"count": 1, "seed": "x"}}', "samples.seed is 'x'"),
        (b'{"samples": {"count": 1, "seed": 9223372036854775808}}', "samples.seed is 9223372036854775808"),
        (b'{"latents": []}', "latents is an empty list"),
        (b'{"latents": [[1]]}', "latents[0] is a list of 1, not of 2"),
        (b'{"latents": [[1, "2"]]}', "latents[0][1] is '2', not a number"),
        (b'{"latents": [[1, 1e39]]}', "latents[0][1] is 1e+39, a number too large for float32"),
        (orjson.dumps({"latents": [[0, 0]] * 65}), "65 latents are too many for one answer; expected at most 64"),
        (b'{"instances": [[1]]}', "instances[0] is a list of 1, not of 4"),
    ],
)
def test_bad_requests_to_a_generator_say_what_is_expected(body: bytes, found: str) -> None:
    message = refusal(GENERATE, body)
    assert found in message, message


def test_a_text_is_no_input_of_a_generator() -> None:
    assert "image/png" in refusal(GENERATE, b"a cat", "text/plain")


def test_the_latents_size_comes_from_the_manifest() -> None:
    wide = service_for(dataclasses.replace(GENERATION, latent=5), None)
    assert ask(wide, b'{"samples": {"count": 1, "seed": 0}}').batch.shape == (1, 5)
    assert "5 numbers each" in refusal(wide, b'{"latents": [[1, 2]]}')


def test_images_and_latents_come_in_lines_too() -> None:
    image = np.arange(12).reshape(4, 3).tolist()
    call = generate(orjson.dumps(image) + b"\n" + orjson.dumps({"features": image}), LINES)
    assert call.program == "encode" and call.batch.shape == (2, 4, 3)
    answer = call.encoders[LINES](np.array([[0.5, -1], [2, 3]], np.float32))
    assert answer == b'{"latent":[0.5,-1.0]}\n{"latent":[2.0,3.0]}\n' and next(iter(call.encoders)) == LINES
    call = generate(answer, LINES)
    assert call.program == "decode" and call.batch.tolist() == [[0.5, -1], [2, 3]]
    assert call.encoders[LINES](np.zeros((1, 1, 2), np.float32)) == b'{"image":[[0.0,0.0]]}\n'
    assert PNG in generate(b'{"latent": [1, 2]}', LINES).encoders


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"latent": [1, 2]}\n[3, 4, 5]', "latents[1] is a list of 3, not of 2"),
        (b'{"latent": [1, 2]}\n{"instance": [1, 2]}', "latents[1] is None, not a list of 2"),
        (b'{"latent": [1, 2]}\n' * 65, "65 latents are too many"),
        (b'{"latents": [1, 2]}', "instances[0] is {'latents': [1, 2]}, not a list of 4"),
    ],
)
def test_bad_lines_to_a_generator(body: bytes, found: str) -> None:
    assert found in refusal(GENERATE, body, LINES)


def test_bare_images_are_encoded() -> None:
    image = np.arange(12).reshape(4, 3).tolist()
    for document in (image, [image], {"inputs": image}, {"inputs": [image]}):
        assert generate(orjson.dumps(document)).batch.tolist() == [image]


def test_lines_are_answered_in_lines_where_the_client_says_nothing() -> None:
    manifest = manifest_of("image-classification", SCHEMA, [], {"predict": "model.pt2"}, labels=LABELS)
    service = service_for(manifest, None)
    body = orjson.dumps(np.ones((4, 3)).tolist())
    assert negotiate("", ask(service, body, LINES).encoders) == LINES
    assert negotiate("*/*", ask(service, body, LINES).encoders) == LINES
    assert negotiate("text/csv, application/json", ask(service, body, LINES).encoders) == JSON
    assert negotiate("", ask(service, body, JSON).encoders) == JSON
    assert negotiate("application/x-ndjson", ask(service, body, JSON).encoders) == "application/x-ndjson"


def test_a_compressed_body_may_unpack_to_the_limit() -> None:
    body = b'{"samples": {"count": 1, "seed": 0}}'
    assert ask(GENERATE, gzip.compress(body), content_encoding="gzip").program == "decode"
    small = service_for(GENERATION, None, max_bytes=len(body) - 1)
    with pytest.raises(RequestError) as caught:
        ask(small, gzip.compress(body), content_encoding="gzip")
    assert caught.value.status == 413
    assert ask(GENERATE, body, "Application/JSON; charset=utf-8").program == "decode"
