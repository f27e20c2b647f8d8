"""What an invocation through localaws costs over calling the model server: `python benchmarks/localaws_invoke.py`.

One keep-alive connection each, the same tiny model server behind both, the two measured in turns so that whatever else
the machine does hits both alike. Prints medians, difference and ratio, with the machine's size and the date.
"""

import http.client
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.unit.localaws.aws import ECHO_SERVER, Aws, running

ROUNDS, CALLS, WARM_UP_CALLS = 10, 200, 50
LIMIT_MS = 2.0
BODY = b"x" * 784


def caller(host: str, port: int, path: str) -> Callable[[], object]:
    """One POST on a connection that stays open."""
    connection = http.client.HTTPConnection(host, port)

    def call() -> None:
        connection.request("POST", path, BODY, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == http.client.OK, answer.status

    return call


def measure(call: Callable[[], object], calls: int) -> list[float]:
    """Milliseconds of each call."""
    times = []
    for _ in range(calls):
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1000)
    return times


def server_port(aws: Aws, endpoint: str) -> int:
    """The port of the endpoint's only server, from that process's environment (Linux)."""
    pid = aws.invoke(endpoint)["pid"]
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return int(next(item for item in variables if item.startswith(b"SAGEMAKER_BIND_TO_PORT=")).split(b"=")[1])


def main() -> int:
    with running() as (url, _):
        aws = Aws(url)
        endpoint = aws.endpoint(aws.config(aws.image({"serve": ECHO_SERVER})))
        aws.settled(endpoint)
        front = urlsplit(url)
        ways: dict[str, Callable[[], object]] = {
            "model server": caller("127.0.0.1", server_port(aws, endpoint), "/invocations"),
            "localaws, HTTP": caller(str(front.hostname), int(front.port or 0), f"/endpoints/{endpoint}/invocations"),
            "localaws, boto3": lambda: aws.invoke(endpoint, BODY.decode()),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for call in ways.values():
            measure(call, WARM_UP_CALLS)
        for _ in range(ROUNDS):
            for name, call in ways.items():
                times[name] += measure(call, CALLS)
    return report({name: statistics.median(found) for name, found in times.items()})


def report(medians: dict[str, float]) -> int:
    direct = medians["model server"]
    print(f"{date.today()}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"{ROUNDS} rounds of {CALLS} calls, {len(BODY)} bytes, one connection")
    for name, value in medians.items():
        print(f"{name:16} {value:6.2f} ms   + {value - direct:5.2f} ms   x {value / direct:5.2f}")
    added = medians["localaws, HTTP"] - direct
    print(f"added by localaws: {added:.2f} ms (limit {LIMIT_MS} ms)")
    return 0 if added < LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
