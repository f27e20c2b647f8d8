"""What the requests of each task ask for, above all those of a generator."""

import dataclasses
import io
import json

import numpy as np
import orjson
import pytest
from PIL import Image

from inference import artifact
from inference.errors import RequestError
from inference.service import Service, service_for
from tests.unit.inference.conftest import LABELS, manifest_of

SCHEMA = artifact.InputSchema(kind="image", name="image", dtype="float32", shape=(4, 3), minimum=0.0, maximum=10.0)
GENERATION = manifest_of("image-generation", SCHEMA, [], {"encode": "encode.pt2", "decode": "decode.pt2"}, latent=2)
GENERATE = service_for(GENERATION, None)
JSON, PNG = "application/json", "image/png"


def refusal(service: Service, body: bytes, media: str = JSON) -> str:
    with pytest.raises(RequestError) as caught:
        service(body, media)
    assert 400 <= caught.value.status < 500
    return caught.value.message


def test_a_prediction_has_one_program() -> None:
    manifest = manifest_of("image-classification", SCHEMA, [], {"predict": "model.pt2"}, labels=LABELS)
    call = service_for(manifest, None)(orjson.dumps({"instances": np.ones((2, 4, 3)).tolist()}), "")
    assert call.program == "predict" and call.batch.shape == (2, 4, 3)
    assert list(call.encoders) == ["application/json", "text/csv", "application/x-npy"]
    scores = np.array([[0.25, 0.5, 0.25]], np.float32)
    assert json.loads(call.encoders[JSON](scores))["predictions"][0]["label"] == "one"


def test_a_regression_answers_with_values() -> None:
    schema = artifact.InputSchema(
        kind="table", name="row", dtype="float32", shape=(1,), columns=(artifact.Column(name="a"),)
    )
    call = service_for(manifest_of("tabular-regression", schema, [], {"predict": "model.pt2"}), None)(
        b"1\n2\n", "text/csv"
    )
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
        call = GENERATE(body, media)
        assert call.program == "encode"
        np.testing.assert_array_equal(call.batch, image)
    call = GENERATE(png.getvalue(), PNG)
    assert call.program == "encode" and (call.batch == 10).all() and PNG not in call.encoders
    answer = json.loads(call.encoders[JSON](np.array([[0.5, -1]], np.float32)))
    assert answer == {"predictions": [{"latent": [0.5, -1]}]}


def test_latents_are_decoded() -> None:
    call = GENERATE(b'{"latents": [[1, 2], [3, 4.5]]}', JSON)
    assert call.program == "decode" and call.batch.tolist() == [[1, 2], [3, 4.5]] and call.batch.dtype == np.float32
    images = np.zeros((2, 4, 3), np.float32)
    assert json.loads(call.encoders[JSON](images)) == {"images": images.tolist()} and PNG not in call.encoders


def test_samples_are_standard_normal_latents_of_their_seed() -> None:
    call = GENERATE(b'{"samples": {"count": 3, "seed": 7}}', JSON)
    expected = np.random.default_rng(7).standard_normal((3, 2))
    assert call.program == "decode" and call.batch.dtype == np.float32
    np.testing.assert_array_equal(call.batch, expected.astype(np.float32))
    assert GENERATE(b'{"samples": {"seed": 9223372036854775807, "count": 64}}', JSON).batch.shape == (64, 2)


def test_one_image_can_be_had_as_png() -> None:
    for body in (b'{"samples": {"count": 1, "seed": 0}}', b'{"latents": [[0, 0]]}'):
        png = GENERATE(body, JSON).encoders[PNG](np.full((1, 4, 3), 10, np.float32))
        assert (np.asarray(Image.open(io.BytesIO(png))) == 255).all()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "not JSON"),
        (b"{}", "the body holds keys []"),
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
        (b'{"latents": [[1]]}', "shape [1]"),
        (b'{"latents": [[1, "2"]]}', "something other than numbers"),
        (b'{"latents": [[1, 1e39]]}', "instance 0 holds NaN, infinity"),
        (orjson.dumps({"latents": [[0, 0]] * 65}), "65 latents are too many for one answer; send at most 64"),
        (b'{"instances": [[1]]}', "shape [1]"),
    ],
)
def test_bad_requests_to_a_generator_say_what_is_expected(body: bytes, found: str) -> None:
    message = refusal(GENERATE, body)
    assert found in message, message


def test_a_text_is_no_input_of_a_generator() -> None:
    assert "image/png" in refusal(GENERATE, b"a cat", "text/plain")


def test_the_latents_size_comes_from_the_manifest() -> None:
    wide = service_for(dataclasses.replace(GENERATION, latent=5), None)
    assert wide(b'{"samples": {"count": 1, "seed": 0}}', JSON).batch.shape == (1, 5)
    assert "5 numbers each" in refusal(wide, b'{"latents": [[1, 2]]}')
