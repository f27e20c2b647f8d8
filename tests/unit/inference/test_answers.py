"""Answers in parts, answers that come too late, and clients that do not read theirs."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import uvloop

from inference.http.connection import Connection
from inference.http.messages import Cancel, Handler, Request, Respond, Response
from inference.metrics import Metrics, SharedTable
from inference.processes.worker import Worker
from inference.settings import Settings

Answer = Callable[[Request, Respond], Cancel | None]
POST = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
PART = b"x" * 100_000


class Made:
    """A model that answers as the test says."""

    facts: Mapping[str, str] = MappingProxyType({"engine": "made up"})
    routes: Mapping[str, Mapping[str, Handler]] = MappingProxyType({})

    def __init__(self, answer: Answer) -> None:
        self.invoke = answer

    def __str__(self) -> str:
        return "made up"

    def start(self, metrics: Metrics) -> "Made":
        return self

    def close(self) -> None:
        pass


def run(
    answer: Answer,
    test: Callable[[asyncio.StreamReader, asyncio.StreamWriter, Metrics], Any],
    **options: Any,
) -> None:
    async def main() -> None:
        metrics = Metrics(SharedTable(1))
        worker = Worker(Settings(model_folder=Path("/nowhere"), **options), metrics)
        worker.serve(Made(answer))
        listener = await asyncio.get_running_loop().create_server(lambda: Connection(worker), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        try:
            async with asyncio.timeout(20):
                await test(reader, writer, metrics)
        finally:
            writer.transport.abort()
            listener.close()
            await worker.drain()

    uvloop.run(main())


def streamed(parts: Callable[[], AsyncIterator[bytes]]) -> Answer:
    def answer(request: Request, respond: Respond) -> None:
        respond(Response(status=HTTPStatus.OK, body=parts(), content_type="application/jsonlines"))

    return answer


async def three() -> AsyncIterator[bytes]:
    for number in range(3):
        await asyncio.sleep(0)
        yield b"" if number == 1 else b"%d\n" % number


def test_parts_are_sent_in_chunks_and_the_connection_lives_on() -> None:
    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: Metrics) -> None:
        writer.write(POST + b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head and b"Content-Length" not in head
        assert await reader.readexactly(19) == b"2\r\n0\n\r\n2\r\n2\n\r\n0\r\n\r\n"
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert 'slipway_requests_total{outcome="ok"} 1' in metrics.render({}).decode()

    run(streamed(three), test)


def test_http_1_0_gets_the_parts_and_then_the_end() -> None:
    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: Metrics) -> None:
        writer.write(POST.replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert body == b"0\n2\n" and b"chunked" not in head and b"Connection: close" in head

    run(streamed(three), test)


def test_an_answer_that_breaks_off_has_no_end() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"first\n"
        raise ValueError("the model failed")

    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: Metrics) -> None:
        writer.write(POST)
        await reader.readuntil(b"first\n\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(5)

    run(streamed(breaking), test)


def test_parts_wait_for_a_client_that_does_not_read_and_end_with_it() -> None:
    made: list[int] = []
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                made.append(1)
                yield PART
                await asyncio.sleep(0)
        finally:
            ended.set()

    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: Metrics) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(POST)
        before = -1
        while len(made) != before or not made:
            before = len(made)
            await asyncio.sleep(0.1)
        assert len(made) * len(PART) < 50_000_000
        writer.transport.abort()
        await ended.wait()

    run(streamed(endless), test)


def test_a_client_that_never_reads_is_cut() -> None:
    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: Metrics) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(POST)
        while "slipway_connections 0" not in metrics.render({}).decode():
            await asyncio.sleep(0.05)

    def answer(request: Request, respond: Respond) -> None:
        respond(Response(status=HTTPStatus.OK, body=PART * 200))

    run(answer, test, body_timeout=0.2)


def test_a_model_that_does_not_answer_in_time_is_504_and_may_come_too_late() -> None:
    responds: list[Respond] = []
    cancelled: list[bool] = []

    def never(request: Request, respond: Respond) -> Cancel:
        responds.append(respond)
        return lambda: cancelled.append(True)

    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: Metrics) -> None:
        writer.write(POST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 504")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
        assert "has not answered in 0.2 s" in json.loads(await reader.readexactly(length))["error"]
        assert cancelled == [True]
        assert 'slipway_requests_total{outcome="timeout"} 1' in metrics.render({}).decode()
        responds[0](Response(status=HTTPStatus.OK, body=b"late"))
        writer.write(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")

    run(never, test, request_timeout=0.2)


def test_a_defect_is_500_and_counted_and_the_server_goes_on() -> None:
    def defect(request: Request, respond: Respond) -> None:
        raise ZeroDivisionError

    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: Metrics) -> None:
        writer.write(POST)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 500")
        text = metrics.render({}).decode()
        assert 'slipway_requests_total{outcome="model_error"} 1' in text and "slipway_requests_in_flight 0" in text

    run(defect, test)


def test_a_client_that_leaves_stops_the_work() -> None:
    left = asyncio.Event()

    def never(request: Request, respond: Respond) -> Cancel:
        return left.set

    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: Metrics) -> None:
        writer.write(POST)
        while "slipway_requests_in_flight 1" not in metrics.render({}).decode():
            await asyncio.sleep(0.01)
        client: socket.socket = writer.get_extra_info("socket")
        client.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # a reset, no half-closed socket
        writer.transport.abort()
        await left.wait()
        text = metrics.render({}).decode()
        assert 'slipway_requests_total{outcome="cancelled"} 1' in text and "slipway_requests_in_flight 0" in text

    run(never, test)
