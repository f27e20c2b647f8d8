"""A server of each task on real sockets: its requests in every form, answered as the artifact answers them."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch
from PIL import Image

from inference import artifact
from inference.engines.program import load_program
from inference.server import Server
from tests.unit.inference.conftest import labelled, manifest_of
from tests.unit.inference.onnx_model import gemm
from tests.unit.inference.test_server import PING, Client, error_of, post, run
from tests.unit.inference.zoo import TOKENS, WORDS

TEXTS = ["good and bad", "Bad!", ""]
CLASSES = ("p", "q", "r")


def posted(document: object, *lines: str) -> bytes:
    return post(orjson.dumps(document), *lines)


def predictions(body: bytes, field: str) -> list[Any]:
    return [entry[field] for entry in json.loads(body)["predictions"]]


@pytest.fixture
def texts(tmp_path: Path, zoo: Path) -> Path:
    tokenizer = artifact.Tokenizer.train(["good and bad ! " * 3, "words " * 2], WORDS)
    tokenizer.save(tmp_path / "tokenizer.json")
    schema = artifact.InputSchema(
        kind="text", name="text", dtype="int64", shape=(TOKENS,), tokenizer=artifact.TOKENIZER_NAME
    )
    with torch.inference_mode():
        scores = load_program(zoo / "lstm.pt2")(torch.from_numpy(tokenizer.encode(TEXTS, TOKENS)))
    described = manifest_of(
        "text-classification", schema, labelled(TEXTS, scores, CLASSES), {"predict": "model.pt2"}, labels=CLASSES
    )
    files = {"model.pt2": zoo / "lstm.pt2", "tokenizer.json": tmp_path / "tokenizer.json"}
    artifact.write(tmp_path / "ml" / "model", described, files)
    return tmp_path / "ml"


def test_texts(texts: Path) -> None:
    recorded = [example.prediction.label for example in artifact.load(texts / "model").manifest.examples]

    async def test(server: Server) -> None:
        client = await Client.to(server)
        status, _, body = await client.ask(posted({"instances": TEXTS}))
        assert status == 200 and predictions(body, "label") == recorded
        status, _, body = await client.ask(post(b"BAD !", "Content-Type: text/plain", "Accept: text/csv"))
        assert status == 200 and body.decode().split(",")[0] == recorded[1]
        status, _, body = await client.ask(posted({"instances": [[1, 2]]}))
        assert status == 400 and "each instance a string" in error_of(body)

    run(texts, test)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda model: (model / "tokenizer.json").unlink(), "tokenizer.json is missing; the manifest lists it"),
        (lambda model: _replace(model, "tokenizer.json", b"{}"), "tokenizer.json is not a tokenizer"),
    ],
)
def test_a_text_model_without_its_tokenizer_is_refused(
    texts: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(texts / "model")

    async def nothing(server: Server) -> None:
        raise AssertionError("it serves")

    with pytest.raises(artifact.ArtifactError, match=message):
        run(texts, nothing)


def _replace(model: Path, name: str, content: bytes) -> None:
    """Give a file another content, and the manifest its hash."""
    (model / name).write_bytes(content)
    document = json.loads((model / "manifest.json").read_text())
    record = artifact.file_record(model / name)
    document["files"][name] = {"sha256": record.sha256, "size_bytes": record.size_bytes}
    (model / "manifest.json").write_text(json.dumps(document))


def test_a_table_by_onnx_runtime(tmp_path: Path) -> None:
    columns = (artifact.Column(name="size"), artifact.Column(name="kind", categories=("small", "big")))
    schema = artifact.InputSchema(kind="table", name="row", dtype="float32", shape=(2,), columns=columns)
    instances = [{"size": 1.5, "kind": "big"}, {"size": -1, "kind": "small"}]
    batch = np.array([[1.5, 1], [-1, 0]], np.float32)
    gemm(tmp_path / "source.onnx")
    described = manifest_of(
        "tabular-classification",
        schema,
        [artifact.Example(instance=instances[0], target="p", prediction=artifact.Prediction(label="p", score=0.0))],
        {"predict": "model.onnx"},
        labels=CLASSES,
    )
    scores = artifact.write(tmp_path / "draft", described, {"model.onnx": tmp_path / "source.onnx"}).run(
        "predict", batch
    )
    described = manifest_of(
        "tabular-classification",
        schema,
        labelled(instances, torch.from_numpy(scores), CLASSES),
        {"predict": "model.onnx"},
        labels=CLASSES,
    )
    artifact.write(tmp_path / "ml" / "model", described, {"model.onnx": tmp_path / "source.onnx"})

    async def test(server: Server) -> None:
        client = await Client.to(server)
        _, _, body = await client.ask(PING)
        assert json.loads(body)["engine"].startswith("onnxruntime ")
        status, _, body = await client.ask(posted({"instances": instances}))
        assert status == 200
        np.testing.assert_allclose(predictions(body, "scores"), scores, rtol=1e-6)
        status, _, body = await client.ask(post(b"kind,size\nbig,1.5\nsmall,-1\n", "Content-Type: text/csv"))
        np.testing.assert_allclose(predictions(body, "scores"), scores, rtol=1e-6)
        status, _, body = await client.ask(posted({"instances": [{"size": 1, "sort": "big"}]}))
        assert status == 400 and "there is no column 'sort'; the columns are size, kind" in error_of(body)

    run(tmp_path / "ml", test)


@pytest.fixture
def generator(tmp_path: Path, zoo: Path) -> Path:
    schema = artifact.InputSchema(kind="image", name="image", dtype="float32", shape=(8, 8), minimum=0.0, maximum=16.0)
    image = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0)) * 16
    with torch.inference_mode():
        latent = load_program(zoo / "encoder.pt2")(image)[0].tolist()
    prediction = artifact.Prediction(latent=tuple(latent))
    example = artifact.Example(instance=image[0].tolist(), target=None, prediction=prediction)
    programs = {"encode": "encode.pt2", "decode": "decode.pt2"}
    described = manifest_of("image-generation", schema, [example], programs, latent=4)
    files = {"encode.pt2": zoo / "encoder.pt2", "decode.pt2": zoo / "decoder.pt2"}
    artifact.write(tmp_path / "ml" / "model", described, files)
    return tmp_path / "ml"


def test_a_generator(generator: Path) -> None:
    loaded = artifact.load(generator / "model")
    example = loaded.manifest.examples[0]
    latents = np.random.default_rng(3).standard_normal((2, 4)).astype(np.float32)
    images = loaded.run("decode", latents)

    async def test(server: Server) -> None:
        client = await Client.to(server)
        status, _, body = await client.ask(posted({"instances": [example.instance] * 3}))
        assert status == 200
        np.testing.assert_allclose(predictions(body, "latent"), [example.prediction.latent] * 3, atol=1e-5)
        status, _, body = await client.ask(posted({"samples": {"count": 2, "seed": 3}}))
        np.testing.assert_allclose(predictions(body, "image"), images, atol=1e-4)
        status, _, body = await client.ask(posted({"latents": latents.tolist()}, "Accept: application/x-npy"))
        np.testing.assert_allclose(np.load(io.BytesIO(body)), images, atol=1e-4)
        status, headers, png = await client.ask(posted({"latents": latents[:1].tolist()}, "Accept: image/png"))
        assert status == 200 and headers["content-type"] == "image/png"
        np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(png))) / 255 * 16, images[0], atol=16 / 255)
        status, _, body = await client.ask(post(png, "Content-Type: image/png"))
        assert status == 200 and np.shape(predictions(body, "latent")) == (1, 4)
        status, _, body = await client.ask(posted({"samples": {"count": 2, "seed": 3}}, "Accept: image/png"))
        assert status == 406 and "application/json, text/csv, application/x-npy" in error_of(body)

    run(generator, test)
