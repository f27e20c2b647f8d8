"""Streams of bytes that are nearly HTTP: always an answer below 500 or a closed connection, and nobody else notices."""

import asyncio
import json
import random
import re
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch
from torch import nn

from inference.server import Server
from tests.unit.inference.test_server import Client, instances, post, run

STREAMS, AT_ONCE = 2_000, 40
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
CHUNKED = (
    b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5\r\n{"ins\r\n1A;name=value\r\ntances": [[[1, 2, 3], [4, 5\r\n0\r\nTrailer: x\r\n\r\n'
)
SEEDS = (
    post(instances(1)),
    post(instances(1, 2)) + post(b"{}"),
    post(b"\x93NUMPY", "Content-Type: application/x-npy"),
    post(instances(3), "Expect: 100-continue", "Accept: text/csv;q=0.5, */*;q=0.1"),
    post(instances(4), "Content-Encoding: gzip"),
    post(b"", path="/v2/models/model/infer"),
    CHUNKED,
    b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"PUT /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /ping HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
)
SPLICES = (
    b"\r\n",
    b"\n",
    b"\0",
    b"\xff",
    b" ",
    b":",
    b"chunked",
    b"Content-Length: 99999999999999999999\r\n",
    b"-1",
    b"A" * 5000,
)


def mutated(draw: random.Random) -> bytes:
    data = bytearray(draw.choice(SEEDS))
    for _ in range(draw.randint(1, 6)):
        place, kind = draw.randrange(len(data) + 1), draw.randrange(5)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[place:place] = draw.choice(SPLICES)
        elif kind == 2:
            del data[place : place + draw.randint(1, 20)]
        elif kind == 3:
            data[place:place] = data[place : place + draw.randint(1, 60)]
        else:
            data[place:] = draw.choice(SEEDS)
    return bytes(data)


async def answers_to(server: Server, data: bytes) -> list[int]:
    """Statuses of whatever comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(data)
        writer.write_eof()
        received = await reader.read(-1)
    except ConnectionError:  # it was reset while we sent: what was answered before is lost
        return []
    finally:
        writer.close()
    return [int(status) for status in STATUS.findall(received)]


def test_mutated_requests_never_break_anything(base: Path, model: nn.Module) -> None:
    draw = random.Random(7)
    found: list[tuple[bytes, list[int]]] = []
    batches = np.random.default_rng(1).random((16, 2, 4, 3), np.float32)
    with torch.inference_mode():
        expected = [model(torch.from_numpy(batch)).numpy() for batch in batches]

    async def attack(server: Server) -> None:
        for _ in range(STREAMS // AT_ONCE):
            data = mutated(draw)
            found.append((data, await answers_to(server, data)))

    async def honest(server: Server, over: asyncio.Event) -> int:
        client, asked = await Client.to(server), 0
        while not over.is_set():
            number = asked % len(batches)
            status, _, body = await client.ask(post(orjson.dumps({"instances": batches[number].tolist()})))
            assert status == 200
            scores = [one["scores"] for one in json.loads(body)["predictions"]]
            assert np.abs(np.array(scores) - expected[number]).max() < 1e-5
            asked += 1
            await asyncio.sleep(0.005)
        return asked

    async def test(server: Server) -> None:
        over = asyncio.Event()
        asking = asyncio.ensure_future(honest(server, over))
        await asyncio.gather(*(attack(server) for _ in range(AT_ONCE)))
        over.set()
        assert await asking > 20

    run(base, test, header_timeout=0.5, body_timeout=0.5)
    assert len(found) == STREAMS
    broken = [(data, statuses) for data, statuses in found if any(status >= 500 for status in statuses)]
    assert not broken, broken[:3]
    statuses = {status for _, some in found for status in some}
    assert {200, 400, 404, 405, 411, 415} <= statuses, statuses


def _own_bytes() -> int:
    """Memory that no file is behind: what is shared with other tests' processes changes as they come and go."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon:")]
    return int(line.split()[1]) * 1024


@pytest.mark.rehearsal
def test_memory_stays_flat_over_100_000_requests(base: Path) -> None:
    good = [post(instances(*range(count))) for count in (1, 3, 7)]
    bad = [post(b'{"instances": [[1]]}'), post(b"[" * 2000), post(b"1,2", "Content-Type: text/csv")]
    pipelined = (good + bad) * 5

    async def one_round(server: Server, requests: int) -> None:
        client = await Client.to(server)
        for _ in range(requests // len(pipelined)):
            client.writer.write(b"".join(pipelined))
            for _ in pipelined:
                assert (await client.answer())[0] in (200, 400)
        client.writer.close()

    async def test(server: Server) -> None:
        await asyncio.gather(*(one_round(server, 2_500) for _ in range(8)))
        before = _own_bytes()
        for _ in range(5):
            await asyncio.gather(*(one_round(server, 2_500) for _ in range(8)))
        assert _own_bytes() - before < 4 * 2**20

    run(base, test, seconds=300)
