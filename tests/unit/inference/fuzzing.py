"""What the tests of hostile bodies share: a service of each kind, valid bodies in every format, and the judgement."""

import gzip
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
from PIL import Image

from inference.formats.encode import Encoded
from inference.formats.service import Call, Service, service_for
from inference.http.errors import RequestError
from inference.http.messages import Request
from inference.manifests.manifest import Manifest
from inference.manifests.schema import InputSchema
from inference.manifests.table import Column
from inference.manifests.tokenizer import Tokenizer
from tests.unit.inference.conftest import manifest_of

JSON, CSV, NPY, NPZ, LINES = (
    "application/json",
    "text/csv",
    "application/x-npy",
    "application/x-npz",
    "application/jsonlines",
)
TOKENS, LATENT = 512, 2
LABELS = ("a", "b", "c")
IMAGE = InputSchema(kind="image", name="image", dtype="float32", shape=(4, 3), minimum=0.0, maximum=10.0)
PHOTO = InputSchema(kind="image", name="image", dtype="float32", shape=(3, 2, 3), minimum=0.0, maximum=255.0)
COLUMNS = (Column(name="age"), Column(name="colour", categories=("red", "blue, dark", "3")))
TABLE = InputSchema(kind="table", name="row", dtype="float32", shape=(2,), columns=COLUMNS)
TEXT = InputSchema(kind="text", name="text", dtype="int64", shape=(TOKENS,), tokenizer="tokenizer.json")
TOKENIZER = Tokenizer.train(["good bad !"], 10)
PREDICT = {"predict": "model.pt2"}
MANIFESTS = {
    "image": manifest_of("image-classification", IMAGE, [], PREDICT, labels=LABELS),
    "table": manifest_of("tabular-regression", TABLE, [], PREDICT),
    "text": manifest_of("text-classification", TEXT, [], PREDICT, labels=LABELS),
    "generator": manifest_of("image-generation", PHOTO, [], {"encode": "e.pt2", "decode": "d.pt2"}, latent=LATENT),
}
MAX_BYTES = 2**19  # of a body that is unpacked
SERVICES = {name: service_for(manifest, TOKENIZER, max_bytes=MAX_BYTES) for name, manifest in MANIFESTS.items()}
Sent = tuple[dict[str, str], bytes]
"""Headers and body."""


def ask(service: Service, sent: Sent, path: str = "/invocations") -> Call:
    return service(Request(method="POST", path=path, headers=sent[0], body=sent[1]))


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (5, 4), **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, 77).save(buffer, kind, **options)
    return buffer.getvalue()


def v2(name: str, array: np.ndarray) -> Iterator[Sent]:
    """The array as a V2 request, in JSON and as bytes."""
    known = {"float32": "FP32", "int64": "INT64", "uint8": "UINT8"}
    tensor = {"name": name, "shape": list(array.shape), "datatype": known[str(array.dtype)]}
    yield {}, orjson.dumps({"id": "7", "inputs": [tensor | {"data": array.ravel().tolist()}]})
    tensor["parameters"] = {"binary_data_size": array.nbytes}
    head = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    length = {"inference-header-content-length": str(len(head))}
    yield {"content-type": "application/octet-stream", **length}, head + array.tobytes()


def of_numbers(array: np.ndarray, name: str) -> Iterator[Sent]:
    """A batch of numbers in the formats that all kinds but texts have."""
    rows = array.tolist()
    yield {}, orjson.dumps({"instances": rows})
    yield {}, orjson.dumps(rows)
    yield {"content-encoding": "gzip"}, gzip.compress(orjson.dumps({"inputs": rows}), mtime=0)
    yield {"content-type": NPY}, npy(array)
    yield {"content-type": NPY}, npy(np.asfortranarray(array.astype(">f8")))
    yield {"content-type": NPZ}, npz(**{name: array})
    yield {"content-type": CSV}, "\n".join(",".join(map(str, row.ravel().tolist())) for row in array).encode()
    yield {"content-type": LINES}, b"\n".join(orjson.dumps({"features": row}) for row in rows)
    yield from v2(name, array)


def of_images() -> Iterator[Sent]:
    yield {"content-type": "image/png"}, picture("PNG")
    yield {"content-type": "image/png"}, picture("PNG", "I;16")
    yield {"content-type": "image/jpeg"}, picture("JPEG")


def of_texts() -> Iterator[Sent]:
    texts = ["good, bad", 'so "good"!', "\u00e9\U0001f600"]
    data = b"".join(len(raw := text.encode()).to_bytes(4, "little") + raw for text in texts)
    yield {}, orjson.dumps({"instances": texts})
    yield {}, orjson.dumps("good")
    yield {"content-type": "text/plain"}, texts[2].encode()
    yield {"content-type": CSV}, b'"good, bad"\n"so ""good"""\n'
    yield {"content-type": LINES}, b"\n".join(orjson.dumps({"inputs": text}) for text in texts)
    yield {"content-type": NPY}, npy(np.array(texts))
    yield {"content-type": NPZ}, npz(text=np.array(texts))
    tensor = {"name": "text", "shape": [3], "datatype": "BYTES"}
    yield {}, orjson.dumps({"inputs": [tensor | {"data": texts}]})
    head = orjson.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(data)}}]})
    yield (
        {"content-type": f"application/vnd.sagemaker-triton.binary+json;json-header-size={len(head)}"},
        head + data,
    )


def of_rows() -> Iterator[Sent]:
    yield {}, orjson.dumps({"instances": [{"age": 1.5, "colour": "red"}, [2, None]]})
    yield {}, orjson.dumps({"age": 1.5, "colour": "red"})
    yield {"content-type": CSV}, b'colour,age\nred,1\n"blue, dark",\n'
    yield {"content-type": LINES}, b'{"age": 1, "colour": "red"}\n[2, "3"]\n'
    columns = [("age", "FP64", [1.5, None]), ("colour", "BYTES", ["red", "x"])]
    tensors = [{"name": name, "datatype": kind, "shape": [2], "data": data} for name, kind, data in columns]
    yield {}, orjson.dumps({"inputs": tensors, "outputs": [{"name": "value"}]})


def of_latents() -> Iterator[Sent]:
    yield {}, b'{"samples": {"count": 3, "seed": 7}}'
    yield {}, b'{"latents": [[1, 2], [0.5, -1]]}'
    yield {"content-type": LINES}, b'{"latent": [1, 2]}\n{"latent": [0.5, -1]}\n'
    yield from v2("latent", np.array([[1, 2]], np.float32))


VALID: dict[str, list[Sent]] = {
    "image": [*of_numbers(np.arange(24, dtype=np.float32).reshape(2, 4, 3), "image"), *of_images()],
    "table": [*of_numbers(np.array([[1.5, 0], [2, 1]], np.float32), "row"), *of_rows()],
    "text": list(of_texts()),
    "generator": [*of_numbers(np.arange(36, dtype=np.uint8).reshape(2, 3, 2, 3), "image"), *of_images(), *of_latents()],
}


def check(kind: str, call: Call) -> None:
    """The batch is one that the program takes, and an answer can be made."""
    schema, batch = MANIFESTS[kind].input, call.batch
    latents = call.program == "decode"
    shape = (LATENT,) if latents else schema.shape
    assert call.program in MANIFESTS[kind].programs
    assert batch.shape[1:] == shape and len(batch) >= 1 and str(batch.dtype) == schema.dtype, batch
    if kind == "text":
        assert batch.min() >= 0 and batch.max() < TOKENIZER.size
    else:
        assert not np.isinf(batch).any() and (kind == "table" or not np.isnan(batch).any())
    for media, encode in list(call.encoders.items())[:1]:
        assert isinstance(encode(outputs_of(MANIFESTS[kind], call)), (bytes, Encoded)), media


def outputs_of(manifest: Manifest, call: Call) -> np.ndarray:
    width = {"predict": (max(1, len(manifest.labels)),), "encode": (LATENT,), "decode": manifest.input.shape}
    return np.zeros((min(len(call.batch), 2), *width[call.program]), np.float32)


def outcome(kind: str, sent: Sent) -> bool:
    """Whether the body is a batch; anything else than a batch or a 4xx that says what was expected fails."""
    try:
        call = ask(SERVICES[kind], sent)
    except RequestError as error:
        assert 400 <= error.status < 500, error
        assert any(words in error.message for words in ("expected", "use ", "the columns are")), error.message
        assert len(error.message) < 2000
        return False
    check(kind, call)
    return True
