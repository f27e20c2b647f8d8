"""A client that calls an endpoint all the time, for proofs that no call fails."""

import json
import threading
import time

from tests.e2e.checkout import Checkout

# Some 60 calls a second: one that never sleeps would take a core from what it watches.
PAUSE_SECONDS = 0.01


class Client(threading.Thread):
    """Calls the endpoint, one call right after the other, and keeps every failure."""

    def __init__(self, checkout: Checkout, endpoint: str, body: bytes) -> None:
        super().__init__(daemon=True)
        self._runtime = checkout.aws("sagemaker-runtime")
        self._endpoint = endpoint
        self._body = body
        self._stop_now = threading.Event()
        self.calls = 0
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._stop_now.is_set():
            try:
                reply = self._runtime.invoke_endpoint(
                    EndpointName=self._endpoint, Body=self._body, ContentType="application/json"
                )
                json.loads(reply["Body"].read())["predictions"][0]["label"]
            except Exception as error:
                self.failures.append(repr(error))
            self.calls += 1
            time.sleep(PAUSE_SECONDS)

    def finish(self) -> None:
        self._stop_now.set()
        self.join(30)

    def __enter__(self) -> "Client":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.finish()

    def more(self, calls: int, seconds: float = 10) -> None:
        """Wait until so many further calls have been made."""
        wanted, deadline = self.calls + calls, time.monotonic() + seconds
        while self.calls < wanted and time.monotonic() < deadline:
            time.sleep(0.01)
