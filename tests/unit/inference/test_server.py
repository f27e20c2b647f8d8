"""The server on real sockets: HTTP/1.1 as clients abuse it, limits, timeouts, and the end."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch
import uvloop
from torch import nn

from inference.artifact import ArtifactError
from inference.artifact_model import Prepared
from inference.engines.plan import BatchPlan
from inference.http.connection import Connection
from inference.processes.loading import load_model
from inference.processes.worker import Startable
from inference.server import Server
from inference.settings import Settings

BODY = orjson.dumps({"instances": np.ones((1, 4, 3)).tolist()})
PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
Test = Callable[[Server], Awaitable[None]]
Load = Callable[[Settings, asyncio.AbstractEventLoop], Startable]


class Client:
    """A raw connection that reads whole responses."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, server: Server) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    async def ask(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        self.writer.write(data)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:-2])
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body

    async def closed(self) -> bool:
        """True once the server has closed; False where it sends something instead."""
        return await self.reader.read(1) == b""


def post(body: bytes, *lines: str, path: str = "/invocations") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def instances(*values: float) -> bytes:
    return orjson.dumps({"instances": [np.full((4, 3), value).tolist() for value in values]})


@asynccontextmanager
async def serving(base: Path, load: Load = load_model, **options: Any) -> AsyncIterator[Server]:
    server = Server(Settings(model_folder=base / "model", host="127.0.0.1", port=0, **options), load)
    task = asyncio.ensure_future(server.run())
    await server.listening.wait()
    try:
        yield server
    finally:
        server.stop()
        await task


async def ready(server: Server) -> Server:
    client = await Client.to(server)
    while (await client.ask(PING))[0] == 503:
        await asyncio.sleep(0.01)
    return server


def run(base: Path, test: Test, load: Load = load_model, seconds: float = 30, **options: Any) -> None:
    async def main() -> None:
        async with serving(base, load, **options) as server, asyncio.timeout(seconds):
            await test(await ready(server))

    uvloop.run(main())


def connections(server: Server) -> set[Connection]:
    assert server.worker is not None
    return server.worker.connections


def error_of(body: bytes) -> str:
    message: str = json.loads(body)["error"]
    return message


def test_ping_is_503_until_the_model_has_proven_itself(base: Path) -> None:
    async def main() -> None:
        release = asyncio.Event()

        def slow_load(settings: Settings, loop: asyncio.AbstractEventLoop) -> Startable:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(20)
            return load_model(settings)

        async with serving(base, slow_load) as server, asyncio.timeout(30):
            client = await Client.to(server)
            assert (await client.ask(PING))[0] == 503
            status, _, body = await client.ask(post(BODY))
            assert status == 503 and "still loading" in error_of(body)
            release.set()
            await ready(server)
            status, _, body = await client.ask(PING)
            assert status == 200 and json.loads(body)["engine"].startswith("torch")

    uvloop.run(main())


@pytest.mark.parametrize("change", ["labels", "score"])
def test_a_model_that_does_not_answer_as_recorded_is_refused(base: Path, change: str) -> None:
    manifest = base / "model" / "manifest.json"
    document = json.loads(manifest.read_text())
    prediction = document["examples"][1]["prediction"]
    prediction["score"] -= 0.01
    if change == "labels":
        prediction["label"] = next(label for label in document["labels"] if label != prediction["label"])
    manifest.write_text(json.dumps(document))

    with pytest.raises(ArtifactError, match="example 1: the model answers"):
        uvloop.run(Server(Settings(model_folder=base / "model", host="127.0.0.1", port=0)).run())


def test_keep_alive_pipelining_and_order(base: Path) -> None:
    async def test(server: Server) -> None:
        client = await Client.to(server)
        for _ in range(3):
            assert (await client.ask(PING))[0] == 200
        requests = [post(instances(n)) if n % 3 else PING for n in range(1, 100)]
        everything = b"".join(requests)
        for start in range(0, len(everything), 1000):  # cut wherever it falls
            client.writer.write(everything[start : start + 1000])
        for n, request in enumerate(requests, start=1):
            status, headers, body = await client.answer()
            assert status == 200 and "connection" not in headers, n
            assert ("predictions" in json.loads(body)) == request.startswith(b"POST")

    run(base, test)


def test_half_closed_and_last_requests_are_answered_and_closed(base: Path) -> None:
    async def test(server: Server) -> None:
        client = await Client.to(server)
        client.writer.write(post(BODY) + post(BODY))
        client.writer.write_eof()
        assert (await client.answer())[0] == 200
        assert (await client.answer())[0] == 200 and await client.closed()

        client = await Client.to(server)
        status, headers, _ = await client.ask(post(BODY, "Connection: close") + PING)
        assert status == 200 and headers["connection"] == "close" and await client.closed()

        for request in (
            b"GET /ping HTTP/1.0\r\n\r\n",
            b"GET /ping HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        ):
            client = await Client.to(server)
            status, headers, _ = await client.ask(request)
            assert status == 200 and headers["connection"] == "close" and await client.closed()

    run(base, test)


def test_bytes_one_by_one_and_chunked_bodies_are_understood(base: Path) -> None:
    chunked = b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"".join(b"%x\r\n%s\r\n" % (1, BODY[i : i + 1]) for i in range(len(BODY))) + b"0\r\n\r\n"

    async def test(server: Server) -> None:
        for request in (post(BODY), chunked):
            client = await Client.to(server)
            for position in range(len(request)):
                client.writer.write(request[position : position + 1])
                await client.writer.drain()
            assert (await client.answer())[0] == 200

    run(base, test)


@pytest.mark.parametrize(
    ("request_bytes", "status", "message"),
    [
        (b"nonsense\r\n\r\n", 400, "not HTTP/1.1"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "not HTTP/1.1"),
        (b"GET /nowhere HTTP/1.1\r\n\r\n", 404, "no such path '/nowhere'; there are /ping, /metrics, /invocations"),
        (b"DELETE /ping HTTP/1.1\r\n\r\n", 405, "use GET"),
        (b"GET /invocations HTTP/1.1\r\n\r\n", 405, "use POST"),
        (b"POST /invocations HTTP/1.1\r\n\r\n", 411, "Content-Length"),
        (post(BODY, "Accept: image/png"), 406, "application/json, text/csv"),
        (post(BODY, "Content-Type: text/html"), 415, "use application/json"),
        (post(b"{}"), 400, "shape [4, 3]"),
        (post(b""), 400, "not JSON"),
        (b"GET /ping HTTP/1.1\r\nX: " + b"y" * 33_000 + b"\r\n\r\n", 431, "more than 32768 bytes"),
        (b"GET /" + b"y" * 33_000 + b" HTTP/1.1\r\n\r\n", 431, "more than 32768 bytes"),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413, "allowed are 1000000 bytes"),
        (post(b"x" * 1_000_001), 413, "allowed are 1000000 bytes"),
        (
            b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nf4241\r\n" + b"x" * 1_000_001,
            413,
            "allowed are 1000000 bytes",
        ),
        (post(BODY, "Connection: Upgrade", "Upgrade: h2c"), 400, "Upgrade is not supported with a body"),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "not HTTP/1.1"),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "not HTTP/1.1"),
    ],
)
def test_bad_requests_are_answered_and_the_server_goes_on(
    base: Path, request_bytes: bytes, status: int, message: str
) -> None:
    async def test(server: Server) -> None:
        client = await Client.to(server)
        assert (await client.ask(PING))[0] == 200
        got, headers, body = await client.ask(request_bytes)
        assert got == status and message in error_of(body) and headers["content-type"] == "application/json"
        fresh = await Client.to(server)
        assert (await fresh.ask(post(BODY)))[0] == 200

    run(base, test, max_body_bytes=1_000_000)


def test_an_endless_header_line_is_cut_off(base: Path) -> None:
    async def test(server: Server) -> None:
        client = await Client.to(server)
        client.writer.write(b"GET /ping HTTP/1.1\r\nX: ")
        answer = asyncio.ensure_future(client.answer())
        while not answer.done():
            client.writer.write(b"y" * 4096)
            await asyncio.sleep(0)
        assert (await answer)[0] == 431

    run(base, test)


def test_expect_100_continue_is_answered_before_the_body(base: Path) -> None:
    async def test(server: Server) -> None:
        client = await Client.to(server)
        head, body = post(BODY, "Expect: 100-continue").split(b"\r\n\r\n", 1)
        assert (await client.ask(head + b"\r\n\r\n"))[0] == 100
        assert (await client.ask(body))[0] == 200
        too_large = b"POST /invocations HTTP/1.1\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
        assert (await client.ask(too_large))[0] == 413

    run(base, test)


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"GET /ping HTTP/1.1\r\nHo", 408), (b"POST /invocations HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", 408), (b"", 0)],
)
def test_what_is_too_slow_is_ended(base: Path, sent: bytes, status: int) -> None:
    async def test(server: Server) -> None:
        client = await Client.to(server)
        if status:
            assert (await client.ask(sent))[0] == status
        assert await client.closed()

    run(base, test, idle_timeout=0.3, header_timeout=0.3, body_timeout=0.3)


def test_accept_and_custom_attributes_reach_the_answer(base: Path, model: nn.Module) -> None:
    async def test(server: Server) -> None:
        client = await Client.to(server)
        lines = ("Accept: text/csv", "X-Amzn-SageMaker-Custom-Attributes: trace=7")
        status, headers, body = await client.ask(post(instances(1, 2), *lines))
        assert status == 200 and headers["content-type"] == "text/csv" and len(body.splitlines()) == 2
        assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=7"

    run(base, test)


@pytest.mark.parametrize("seconds_per_call", [0.0, 1.0], ids=["inline", "thread"])
def test_under_load_every_answer_is_the_models_own(base: Path, model: nn.Module, seconds_per_call: float) -> None:
    def load(settings: Settings, loop: asyncio.AbstractEventLoop) -> Startable:
        prepared = load_model(settings)
        assert isinstance(prepared, Prepared)
        plan = BatchPlan(limit=32, seconds_alone=seconds_per_call, seconds_each=1e-4)
        return dataclasses.replace(prepared, plans={"predict": plan})

    async def talk(server: Server, number: int) -> None:
        random = np.random.default_rng(number)
        client = await Client.to(server)
        for _ in range(10):
            batch = random.random((int(random.integers(1, 40)), 4, 3), np.float32) * 10
            status, _, body = await client.ask(post(orjson.dumps({"instances": batch.tolist()})))
            assert status == 200
            with torch.inference_mode():
                expected = model(torch.from_numpy(batch)).numpy()
            scores = [entry["scores"] for entry in json.loads(body)["predictions"]]
            np.testing.assert_allclose(scores, expected, atol=1e-5)

    async def test(server: Server) -> None:
        await asyncio.gather(*(talk(server, number) for number in range(24)))

    run(base, test, load)


def test_a_client_that_leaves_or_does_not_read_harms_nobody(base: Path) -> None:
    async def test(server: Server) -> None:
        for _ in range(5):
            client = await Client.to(server)
            client.writer.write(post(BODY) * 3)
            client.writer.transport.abort()
        deaf = await Client.to(server)
        deaf.writer.write(post(instances(*range(50))) * 50)
        client = await Client.to(server)
        assert (await client.ask(post(BODY)))[0] == 200
        assert len(connections(server)) <= 3

    run(base, test, drain_timeout=0.2)


def test_the_drain_answers_what_has_begun_and_nothing_after(base: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            server = Server(Settings(model_folder=base / "model", host="127.0.0.1", port=0))
            task = asyncio.ensure_future(server.run())
            await server.listening.wait()
            await ready(server)
            idle, half, whole = [await Client.to(server) for _ in range(3)]
            for client in (idle, half, whole):
                assert (await client.ask(PING))[0] == 200
            request = post(BODY)
            half.writer.write(request[:-5])
            await half.writer.drain()
            while sum(connection.busy for connection in connections(server)) < 1:
                await asyncio.sleep(0.01)
            whole.writer.write(request)
            server.stop()
            assert await idle.closed()
            half.writer.write(request[-5:])
            for client in (half, whole):
                status, headers, _ = await client.answer()
                assert status == 200 and headers["connection"] == "close" and await client.closed()
                client.writer.close()
            await task
            with pytest.raises(OSError):
                await Client.to(server)

    uvloop.run(main())
