"""KServe's V2 protocol: its paths, its tensors in JSON and as bytes, its answers, and what is refused."""

import json
import struct
from typing import Any

import numpy as np
import orjson
import pytest

from inference.formats.encode import Encoded
from inference.formats.kserve import routes
from inference.formats.service import Call, Service, service_for
from inference.http.errors import RequestError
from inference.http.messages import Request, Response
from inference.http.negotiate import negotiate
from inference.manifests.manifest import Manifest
from inference.manifests.schema import InputSchema
from inference.manifests.table import Column
from inference.manifests.tokenizer import Tokenizer
from tests.unit.inference.conftest import manifest_of

JSON, OCTETS = "application/json", "application/octet-stream"
TRITON = "application/vnd.sagemaker-triton.binary+json"
INFER = "/v2/models/digits/infer"
LABELS = ("a", "b", "c")
IMAGE = InputSchema(kind="image", name="image", dtype="float32", shape=(2, 3), minimum=0.0, maximum=10.0)
COLUMNS = (Column(name="age"), Column(name="colour", categories=("red", "blue")))
TABLE = InputSchema(kind="table", name="row", dtype="float32", shape=(2,), columns=COLUMNS)
TEXT = InputSchema(kind="text", name="text", dtype="int64", shape=(3,), tokenizer="tokenizer.json")
TOKENIZER = Tokenizer.train(["good bad !"], 10)
PREDICT = {"predict": "model.pt2"}
IMAGES = manifest_of("image-classification", IMAGE, [], PREDICT, labels=LABELS)
ROWS = manifest_of("tabular-regression", TABLE, [], PREDICT)
TEXTS = manifest_of("text-classification", TEXT, [], {"predict": "model.onnx"}, labels=LABELS)
GENERATOR = manifest_of("image-generation", IMAGE, [], {"encode": "e.pt2", "decode": "d.pt2"}, latent=2)
SERVICES = {m.task: service_for(m, TOKENIZER, model_name="digits") for m in (IMAGES, ROWS, TEXTS, GENERATOR)}
CLASSIFY = SERVICES[IMAGES.task]
BATCH = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
SCORES = np.array([[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]], np.float32)


def tensor(name: str, datatype: str, shape: list[Any], data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def ask(service: Service, document: Any, path: str = INFER, tail: bytes = b"", **headers: str) -> Call:
    body = orjson.dumps(document)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if tail:
        named = {"content-type": OCTETS, "inference-header-content-length": str(len(body)), **named}
    return service(Request(method="POST", path=path, headers=named, body=body + tail))


def refusal(service: Service, document: Any, **rest: Any) -> str:
    with pytest.raises(RequestError) as caught:
        ask(service, document, **rest)
    assert caught.value.status == 400
    return caught.value.message


def answered(call: Call, outputs: np.ndarray, accept: str = "") -> dict[str, Any]:
    """The answer's JSON, with the values of bytes in the place of `data`."""
    media = negotiate(accept, call.encoders)
    body = call.encoders[media](outputs)
    if not isinstance(body, Encoded):
        assert media == JSON
        document: dict[str, Any] = json.loads(body)
        return document
    length = int(body.headers["Inference-Header-Content-Length"])
    document, tail = json.loads(body.body[:length]), body.body[length:]
    for output in document["outputs"]:
        if "data" not in output:
            size = output["parameters"]["binary_data_size"]
            output["data"], tail = tail[:size], tail[size:]
    assert tail == b""
    return document


FORMS = [tensor("image", "FP32", [2, 2, 3], BATCH.ravel().tolist()), tensor("x", "FP64", [2, 2, 3], BATCH.tolist())]


@pytest.mark.parametrize("path", [INFER, "/invocations"])
@pytest.mark.parametrize("form", FORMS)
def test_images_flat_or_nested_on_both_paths(path: str, form: dict[str, Any]) -> None:
    call = ask(CLASSIFY, {"inputs": [form]}, path)
    assert call.program == "predict" and call.batch.dtype == np.float32
    np.testing.assert_array_equal(call.batch, BATCH)
    assert ask(CLASSIFY, {"inputs": [tensor("image", "UINT8", [2, 3], [1, 2, 3, 4, 5, 255])]}, path).batch.shape == (
        1,
        2,
        3,
    )


def test_all_outputs_are_answered_with_the_models_name_and_the_requests_id() -> None:
    call = ask(CLASSIFY, {"id": "42", "inputs": FORMS[:1]})
    assert answered(call, SCORES) == {
        "model_name": "digits",
        "id": "42",
        "outputs": [
            {"name": "scores", "datatype": "FP32", "shape": [2, 3], "data": SCORES.ravel().tolist()},
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["b", "c"]},
        ],
    }
    assert "id" not in answered(ask(CLASSIFY, {"inputs": FORMS[:1]}), SCORES)


def test_outputs_are_chosen_by_name_and_as_the_best_classes() -> None:
    only = ask(CLASSIFY, {"inputs": FORMS[:1], "outputs": [{"name": "label"}]})
    assert [output["name"] for output in answered(only, SCORES)["outputs"]] == ["label"]
    best = {"inputs": FORMS[:1], "outputs": [{"name": "scores", "parameters": {"classification": 2}}]}
    assert answered(ask(CLASSIFY, best), SCORES)["outputs"] == [
        {
            "name": "scores",
            "datatype": "BYTES",
            "shape": [2, 2],
            "data": ["0.5:1:b", "0.25:0:a", "0.75:2:c", "0.125:0:a"],
        }
    ]
    best["outputs"][0]["parameters"]["classification"] = 99
    assert answered(ask(CLASSIFY, best), SCORES)["outputs"][0]["shape"] == [2, 3]


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", "|u1", "<i8"])
def test_values_come_as_bytes(dtype: str) -> None:
    names = {"<f4": "FP32", "<f8": "FP64", "<f2": "FP16", "|u1": "UINT8", "<i8": "INT64"}
    values = BATCH.astype(dtype).tobytes()
    head = {
        "inputs": [
            {
                "name": "image",
                "datatype": names[dtype],
                "shape": [2, 2, 3],
                "parameters": {"binary_data_size": len(values)},
            }
        ]
    }
    np.testing.assert_array_equal(ask(CLASSIFY, head, tail=values).batch, BATCH)
    length = len(orjson.dumps(head))
    triton = Request(
        method="POST",
        path="/invocations",
        headers={"content-type": f"{TRITON};json-header-size={length}"},
        body=orjson.dumps(head) + values,
    )
    np.testing.assert_array_equal(CLASSIFY(triton).batch, BATCH)


def test_bfloat16_is_the_upper_half_of_float32() -> None:
    values = (BATCH.view(np.uint32) >> 16).astype("<u2").tobytes()
    head = {"inputs": [{"name": "i", "datatype": "BF16", "shape": [2, 2, 3], "parameters": {"binary_data_size": 24}}]}
    np.testing.assert_array_equal(ask(CLASSIFY, head, tail=values).batch, BATCH)


def test_answers_come_as_bytes_where_they_are_asked_for() -> None:
    label = b"".join(struct.pack("<I", 1) + name for name in (b"b", b"c"))
    everything = {"inputs": FORMS[:1], "parameters": {"binary_data_output": True}}
    for document, accept in ((everything, ""), (everything, "*/*"), ({"inputs": FORMS[:1]}, OCTETS)):
        scores, labels = answered(ask(CLASSIFY, document), SCORES, accept)["outputs"]
        assert (scores["data"], labels["data"]) == (SCORES.tobytes(), label)
        assert scores["shape"] == [2, 3] and labels["shape"] == [2] and labels["datatype"] == "BYTES"
    mixed = {
        "inputs": FORMS[:1],
        "outputs": [{"name": "label"}, {"name": "scores", "parameters": {"binary_data": True}}],
    }
    labels, scores = answered(ask(CLASSIFY, mixed), SCORES)["outputs"]
    assert labels["data"] == ["b", "c"] and scores["data"] == SCORES.tobytes()
    assert answered(ask(CLASSIFY, mixed), SCORES, JSON)["outputs"][1]["data"] == SCORES.ravel().tolist()


def test_sagemakers_content_type_tells_the_length_both_ways() -> None:
    document = {"inputs": FORMS[:1], "parameters": {"binary_data_output": True}}
    length = len(orjson.dumps(document))
    call = ask(CLASSIFY, document, "/invocations", content_type=f"{TRITON};json-header-size={length}")
    body = call.encoders[next(iter(call.encoders))](SCORES)
    assert isinstance(body, Encoded)
    head = int(body.content_type.removeprefix(f"{TRITON};json-header-size="))
    assert json.loads(body.body[:head])["model_name"] == "digits" and str(head) in body.headers.values()


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_texts(shape: list[int]) -> None:
    service = SERVICES[TEXTS.task]
    expected = TOKENIZER.encode(["good", "bad !\u00e9"], 3).tolist()
    data = ["good", "bad !\u00e9"] if len(shape) == 1 else [["good"], ["bad !\u00e9"]]
    assert ask(service, {"inputs": [tensor("text", "BYTES", shape, data)]}).batch.tolist() == expected
    octets = b"".join(struct.pack("<I", len(raw)) + raw for raw in (b"good", "bad !\u00e9".encode()))
    head = {
        "inputs": [{"name": "t", "datatype": "BYTES", "shape": shape, "parameters": {"binary_data_size": len(octets)}}]
    }
    assert ask(service, head, tail=octets).batch.tolist() == expected


def test_tables_by_column_or_as_one_tensor() -> None:
    service = SERVICES[ROWS.task]
    expected = np.array([[1.5, 0], [np.nan, 1]], np.float32)
    ages = np.array([1.5, np.nan], "<f4").tobytes()
    for inputs, tail in (
        ([tensor("colour", "BYTES", [2, 1], [["red"], ["blue"]]), tensor("age", "FP64", [2], [1.5, None])], b""),
        ([tensor("row", "FP32", [2, 2], [1.5, 0, None, 1])], b""),
        ([tensor("row", "FP32", [2, 2], [[1.5, 0], [None, 1]])], b""),
        (
            [
                {"name": "age", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}},
                tensor("colour", "BYTES", [2], ["red", "blue"]),
            ],
            ages,
        ),
    ):
        np.testing.assert_array_equal(ask(service, {"inputs": inputs}, tail=tail).batch, expected)
    values = np.array([[1.5], [2]], np.float32)
    call = ask(service, {"inputs": [tensor("row", "INT32", [1, 2], [1, 1])]})
    assert answered(call, values)["outputs"] == [
        {"name": "value", "datatype": "FP32", "shape": [2, 1], "data": [1.5, 2.0]}
    ]


def test_a_generator_encodes_images_and_decodes_latents() -> None:
    service = SERVICES[GENERATOR.task]
    call = ask(service, {"inputs": FORMS[:1]})
    assert call.program == "encode"
    assert answered(call, SCORES[:, :2])["outputs"][0]["name"] == "latent"
    call = ask(service, {"inputs": [tensor("latent", "FP32", [2, 2], [1, 2, 3, 4])]}, "/invocations")
    assert call.program == "decode" and call.batch.tolist() == [[1, 2], [3, 4]]
    assert answered(call, BATCH)["outputs"] == [
        {"name": "image", "datatype": "FP32", "shape": [2, 2, 3], "data": BATCH.ravel().tolist()}
    ]
    assert "65 latents are too many" in refusal(service, {"inputs": [tensor("latent", "FP32", [65, 2], [0] * 130)]})


def got(manifest: Manifest, path: str) -> Any:
    responses: list[Response] = []
    routes(lambda request, respond: None, manifest, "digits")[path]["GET"](
        Request(method="GET", path=path, headers={}, body=b""), responses.append
    )
    (response,) = responses
    assert response.status == 200 and isinstance(response.body, bytes)
    return json.loads(response.body)


def test_the_paths_of_the_server_and_of_the_model() -> None:
    assert got(IMAGES, "/v2")["extensions"] == ["binary_tensor_data", "classification"]
    assert got(IMAGES, "/v2/health/live") == {"live": True} and got(IMAGES, "/v2/health/ready") == {"ready": True}
    assert got(IMAGES, "/v2/models/digits/ready") == {"name": "digits", "ready": True}
    asked = routes(handler := lambda request, respond: None, IMAGES, "digits")[INFER]
    assert asked == {"POST": handler}


def described(name: str, datatype: str, *shape: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1, *shape]}


@pytest.mark.parametrize(
    ("manifest", "platform", "inputs", "outputs"),
    [
        (IMAGES, "pytorch_export", [("image", "FP32", 2, 3)], [("scores", "FP32", 3), ("label", "BYTES")]),
        (ROWS, "pytorch_export", [("age", "FP32"), ("colour", "BYTES")], [("value", "FP32", 1)]),
        (TEXTS, "onnxruntime_onnx", [("text", "BYTES")], [("scores", "FP32", 3), ("label", "BYTES")]),
        (GENERATOR, "pytorch_export", [("image", "FP32", 2, 3)], [("latent", "FP32", 2)]),
    ],
)
def test_a_models_inputs_and_outputs_are_told(
    manifest: Manifest, platform: str, inputs: list[Any], outputs: list[Any]
) -> None:
    assert got(manifest, "/v2/models/digits") == {
        "name": "digits",
        "platform": platform,
        "inputs": [described(*item) for item in inputs],
        "outputs": [described(*item) for item in outputs],
    }
