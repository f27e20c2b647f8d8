"""A user's functions get what AWS's container gives them, run where they should, and fail alone."""

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from inference.http.messages import Response
from inference.metrics import Metrics, SharedTable
from inference.model import Model
from inference.user_code import model as user_model
from inference.user_code.model import load
from tests.unit.inference.user_code import (
    CSV,
    JSON,
    NPY,
    answer,
    answers,
    document,
    invoke,
    on_loop,
    request,
    with_code,
)

FOUR = """
    import json

    def model_fn(model_dir):
        return {"folder": model_dir}

    def input_fn(request_body, content_type):
        return {"type": content_type, "kind": type(request_body).__name__, "size": len(request_body)}

    def predict_fn(data, model):
        return {**data, **model}

    def output_fn(prediction, accept):
        return json.dumps({**prediction, "accept": accept})
"""
BATCH = """
    import threading
    begun, sizes = [], []
    gate = threading.Event()
    gate.set()

    def model_fn(model_dir): return "model"
    def input_fn(body, content_type): return int(body)
    def output_fn(prediction, accept): return str(prediction)

    def predict_batch_fn(numbers, model):
        begun.append(numbers)
        gate.wait(10)
        sizes.append(len(numbers))
        if 13 in numbers:
            raise ValueError("unlucky")
        return [number * 10 for number in numbers]
"""


def _module(model: Model) -> Any:
    """The user's module of a model."""
    functions = model._prepared.loaded.functions  # type: ignore[attr-defined]
    body = functions.get("predict_batch_fn") or functions["predict_fn"]
    return body.body.__globals__


async def _turns() -> None:
    """Enough turns of the loop for whatever has been asked of it."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [(JSON, "str"), (CSV, "str"), ("Application/JSON; charset=utf-8", "str"), (NPY, "bytes"), ("text/plain", "bytes")],
)
def test_texts_of_json_and_csv_come_as_str_and_everything_else_as_bytes(
    tmp_path: Path, content_type: str, kind: str
) -> None:
    response = answer(with_code(tmp_path, FOUR), request("é".encode(), content_type))
    assert response.status == 200 and response.content_type == JSON
    assert document(response) == {
        "type": content_type,
        "kind": kind,
        "size": 1 if kind == "str" else 2,
        "folder": str(tmp_path),
        "accept": JSON,
    }


def test_without_a_content_type_it_is_none_and_the_body_is_bytes(tmp_path: Path) -> None:
    found = document(answer(with_code(tmp_path, FOUR), request(b"x", content_type="")))
    assert (found["type"], found["kind"]) == (None, "bytes")


def test_a_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    response = answer(with_code(tmp_path, FOUR), request(b"ab\xff"))
    assert response.status == 400 and "byte 2" in document(response)["error"]


@pytest.mark.parametrize(
    ("accept", "environ", "given", "content_type"),
    [
        ("", {}, JSON, JSON),
        ("*/*", {}, JSON, JSON),
        ("*/*", {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": CSV}, CSV, CSV),
        ("image/png", {}, "image/png", "image/png"),
        ("text/html, */*;q=0.1", {}, "text/html, */*;q=0.1", "text/html"),
    ],
)
def test_accept_and_the_content_type_of_the_answer(
    tmp_path: Path, accept: str, environ: dict[str, str], given: str, content_type: str
) -> None:
    response = answer(with_code(tmp_path, FOUR), request(b"1", accept=accept), **environ)
    assert document(response)["accept"] == given and response.content_type == content_type


def test_transform_fn_does_it_all_and_says_its_content_type(tmp_path: Path) -> None:
    code = """
        def model_fn(model_dir): return "m"
        def transform_fn(model, request_body, content_type, accept):
            return f"{model} {request_body} {content_type} {accept}".encode(), "text/plain"
    """
    response = answer(with_code(tmp_path, code), request(b"1", accept="a/b"))
    assert (response.body, response.content_type) == (b"m 1 application/json a/b", "text/plain")


@pytest.mark.parametrize("returned", ["[1, 2]", "b'[1,2]'", "bytearray(b'[1,2]')", "'[1,2]'", "numpy.array([1, 2])"])
def test_an_answer_may_be_bytes_text_or_what_has_a_form_in_json(tmp_path: Path, returned: str) -> None:
    code = f"""
        import numpy
        def model_fn(model_dir): return None
        def transform_fn(model, body, content_type, accept): return {returned}
    """
    assert document(answer(with_code(tmp_path, code), request(b""))) == [1, 2]


def test_every_function_may_take_the_context(tmp_path: Path) -> None:
    code = """
        seen = []
        def model_fn(model_dir, context):
            seen.append((context.system_properties["model_dir"] == model_dir, context.get_request_header(0, "accept")))
            return seen
        def input_fn(body, content_type, ctx):
            return [ctx.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes"), ctx.get_request_id(0)]
        def predict_fn(data, model, context):
            gpu = context.system_properties["gpu_id"]
            return {"seen": model, "data": data, "gpu": gpu, "headers": context.get_all_request_header(0)}
        def output_fn(prediction, accept, context):
            context.set_response_status(code=202)
            context.set_response_header(0, "X-Age", "3 days")
            context.set_response_content_type(0, "text/x-answer")
            return prediction
    """
    headers = {"x_amzn_sagemaker_custom_attributes": "a=b", "x_amzn_sagemaker_inference_id": "id-7"}
    response = answer(with_code(tmp_path, code), request(b"", **headers))
    assert (response.status, response.content_type) == (202, "text/x-answer")
    assert response.headers == {"x-amzn-sagemaker-custom-attributes": "a=b", "x-age": "3 days"}
    found = document(response)
    assert found["seen"] == [[True, None]] and found["data"] == ["a=b", "id-7"]
    assert found["headers"]["content-type"] == JSON


def test_plain_functions_run_on_one_thread_from_the_import_on(tmp_path: Path) -> None:
    code = """
        import threading
        threads = [threading.get_ident()]
        def note(): threads.append(threading.get_ident())
        def pre_model_fn(model_dir): note()
        def model_fn(model_dir): note()
        def model_warmup_fn(model_dir, model): note()
        def input_fn(body, content_type): note()
        def predict_fn(data, model): note()
        def output_fn(prediction, accept): note(); return threads
    """
    found = document(answers(with_code(tmp_path, code), request(b""), request(b""))[1])
    assert len(found) == 10 and len(set(found)) == 1 and found[0] != threading.get_ident()


def test_async_functions_run_on_the_loop_many_at_a_time(tmp_path: Path) -> None:
    code = """
        import asyncio, threading
        here, together = [], asyncio.Event()
        async def model_fn(model_dir): return threading.get_ident()
        async def input_fn(body, content_type):
            here.append(body)
            if len(here) == 3:
                together.set()
            await together.wait()
            return threading.get_ident()
        def predict_fn(data, model): return [data, threading.get_ident()]
        async def output_fn(prediction, accept): return prediction
    """
    found = [document(one) for one in answers(with_code(tmp_path, code), *[request(b"")] * 3)]
    assert all(loop == threading.get_ident() != thread for loop, thread in found)


def test_an_async_model_fn_runs_on_the_loop_that_serves(tmp_path: Path) -> None:
    code = """
        import asyncio
        async def model_fn(model_dir): return asyncio.get_running_loop()
        async def transform_fn(model, body, content_type, accept): return model is asyncio.get_running_loop()
    """

    async def run() -> Response:
        loop = asyncio.get_running_loop()
        prepared = await asyncio.to_thread(load, with_code(tmp_path, code), {}, loop=loop)
        model = prepared.start(Metrics(SharedTable(rows=1)))
        response = await invoke(model, request(b""))
        model.close()
        return response

    assert document(asyncio.run(run())) is True


def test_requests_that_wait_together_are_predicted_in_one_call(tmp_path: Path) -> None:
    async def ask(model: Model) -> list[Any]:
        module = _module(model)
        module["gate"].clear()
        first = invoke(model, request(b"0"))
        while not module["begun"]:
            await asyncio.sleep(0)
        later = [invoke(model, request(str(number).encode())) for number in range(1, 5)]
        await _turns()
        module["gate"].set()
        return [*[(await future).body for future in (first, *later)], module["sizes"]]

    *bodies, sizes = on_loop(load(with_code(tmp_path, BATCH), {}, max_batch=3), ask)
    assert bodies == [b"0", b"10", b"20", b"30", b"40"]
    assert sizes == [1, 3, 1]


def test_a_batch_that_fails_is_tried_one_by_one(tmp_path: Path) -> None:
    requests = [request(str(number).encode()) for number in (1, 13, 2)]
    good, bad, other = answers(with_code(tmp_path, BATCH), *requests)
    assert (good.body, other.body) == (b"10", b"20")
    assert bad.status == 500 and document(bad)["error"].startswith("predict_batch_fn failed: ValueError")


@pytest.mark.parametrize("keyword", ["", "async "])
def test_a_batch_function_that_returns_too_few_is_told(tmp_path: Path, keyword: str, caplog: Any) -> None:
    code = f"""
        def model_fn(model_dir): return None
        def input_fn(body, content_type): return body
        {keyword}def predict_batch_fn(items, model, contexts): return items[1:]
        def output_fn(prediction, accept): return prediction
    """
    response = answer(with_code(tmp_path, code), request(b"x"))
    assert response.status == 500 and "returned 0 predictions for 1 requests" in caplog.text


@pytest.mark.parametrize("kind", ["ValueError('secret')", "SystemExit(3)", "StopIteration()", "KeyError('a')"])
@pytest.mark.parametrize("place", ["input_fn", "predict_fn", "output_fn"])
def test_an_exception_is_500_for_its_request_and_is_told_in_the_log(
    tmp_path: Path, kind: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    code = "def model_fn(model_dir): return None\n"
    for name in ("input_fn", "predict_fn", "output_fn"):
        body = f"if a == 'bad': raise {kind}" if name == place else "pass"
        code += f"def {name}(a, b):\n    {body}\n    return a\n"
    bad, good = answers(with_code(tmp_path, code), request(b"bad"), request(b"good"))
    assert (good.status, good.body) == (200, b"good")
    name = kind.partition("(")[0]
    assert bad.status == 500 and document(bad)["error"] == f"{place} failed: {name}; the server's log has the rest"
    assert f"{place} failed: {name}" in caplog.text and "Traceback" in caplog.text


@pytest.mark.parametrize(("code", "status"), [(422, 422), (503, 503), (200, 500), ("400", 500), (999, 500)])
def test_an_exception_with_a_status_code_is_answered_with_it(tmp_path: Path, code: object, status: int) -> None:
    source = f"""
        class Refused(Exception):
            status_code = {code!r}

        def model_fn(model_dir): return None
        def transform_fn(model, body, content_type, accept): raise Refused("no rows")
    """
    response = answer(with_code(tmp_path, source), request(b""))
    assert response.status == status
    assert document(response)["error"].startswith("no rows" if status != 500 else "transform_fn failed: Refused")


def test_an_exception_that_cannot_say_what_it_is_is_answered_too(tmp_path: Path) -> None:
    code = """
        class Odd(Exception):
            status_code = []
            def __str__(self): raise ValueError("no words")

        def model_fn(model_dir): return None
        def input_fn(body, content_type): return body
        def predict_batch_fn(items, model): raise Odd()
        def output_fn(prediction, accept): return prediction
    """
    for response in answers(with_code(tmp_path, code), request(b"1"), request(b"2")):
        assert response.status == 500 and document(response)["error"].startswith("predict_batch_fn failed: Odd")


def test_an_answer_may_come_in_parts(tmp_path: Path) -> None:
    code = """
        def model_fn(model_dir): return ["a", b"b", {"c": 1}]
        async def transform_fn(model, body, content_type, accept):
            async def parts():
                for part in model:
                    yield part
            return parts(), "text/plain"
    """

    async def ask(model: Model) -> list[bytes]:
        response = await invoke(model, request(b""))
        assert response.content_type == "text/plain" and not isinstance(response.body, bytes)
        return [part async for part in response.body]

    assert on_loop(load(with_code(tmp_path, code), {}), ask) == [b"a", b"b", b'{"c":1}']


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return object()", "TypeError"),
        ("context.set_response_header(0, 'A', 'x\\r\\nB: y'); return b''", "ValueError"),
        ("context.set_response_header(0, 'Content-Length', '7'); return b''", "ValueError"),
        ("context.set_response_status(777); return b''", "ValueError"),
        ("context.set_response_status(204); return b''", "ValueError"),
        ("return '\\ud800'", "UnicodeEncodeError"),
        ("return b'', 5", "ValueError"),
    ],
)
def test_an_answer_that_cannot_be_sent_is_500(tmp_path: Path, body: str, said: str) -> None:
    code = f"""
        def model_fn(model_dir): return None
        def transform_fn(model, request_body, content_type, accept, context): {body}
    """
    response = answer(with_code(tmp_path, code), request(b""))
    assert response.status == 500 and document(response)["error"].startswith(f"the answer failed: {said}")


def test_a_request_whose_client_is_gone_is_not_begun(tmp_path: Path) -> None:
    code = """
        import threading
        gate, begun = threading.Event(), []
        def model_fn(model_dir): return None
        def input_fn(body, content_type): return body
        def predict_fn(data, model):
            begun.append(data)
            gate.wait(10)
            return begun
        def output_fn(prediction, accept): return prediction
    """

    async def ask(model: Model) -> Response:
        first, gone, last = (invoke(model, request(body)) for body in (b"1", b"2", b"3"))
        while not _module(model)["begun"]:
            await asyncio.sleep(0)
        gone.cancel()
        await _turns()
        _module(model)["gate"].set()
        await first
        return await last

    assert document(on_loop(load(with_code(tmp_path, code), {}), ask)) == ["1", "3"]


def test_too_many_waiting_requests_are_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_model, "MAX_WAITING_REQUESTS", 2)
    found = answers(with_code(tmp_path, FOUR), *[request(b"")] * 3)
    assert [one.status for one in found] == [200, 200, 503] and found[2].headers == {"Retry-After": "1"}


@pytest.mark.parametrize("code", [FOUR, BATCH])
def test_where_the_time_went_is_counted(tmp_path: Path, code: str) -> None:
    metrics = Metrics(SharedTable(rows=1))

    async def ask(model: Model) -> None:
        await asyncio.gather(*(invoke(model, request(b"1")) for _ in range(3)))

    on_loop(load(with_code(tmp_path, code), {}), ask, metrics)
    text = metrics.render({}).decode()
    for phase in ("decode", "queue", "model", "encode"):
        assert f'slipway_phase_seconds_count{{phase="{phase}"}} 3' in text
    assert re.search(r"^slipway_batch_instances_sum 3$", text, re.MULTILINE)
    assert re.search(r"^slipway_queue_instances 0$", text, re.MULTILINE)


def test_closing_with_requests_in_flight_ends_them(tmp_path: Path) -> None:
    async def ask(model: Model) -> None:
        future = invoke(model, request(b"1"))
        await asyncio.sleep(0)
        model.close()
        await asyncio.sleep(0)
        assert not future.done()

    on_loop(load(with_code(tmp_path, BATCH), {}), ask)
