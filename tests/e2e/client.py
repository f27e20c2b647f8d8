"""A client that calls an endpoint all the time, for proofs that no call fails."""

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.checkout import Checkout

# Some 20 calls a second: one that never sleeps would take a core from what it watches.
PAUSE_SECONDS = 0.05


class Client(threading.Thread):
    """Calls the endpoint, one call right after the other, and keeps every failure. It never retries."""

    def __init__(self, checkout: Checkout, endpoint: str, body: bytes) -> None:
        super().__init__(daemon=True)
        env, path = checkout.environment, f"/endpoints/{endpoint}/invocations"
        self._request = AWSRequest("POST", env["AWS_ENDPOINT_URL"] + path, {"Content-Type": "application/json"}, body)
        keys = Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
        # Once, and without boto3, whose every call costs ten times as much as the request.
        SigV4Auth(keys, "sagemaker", "eu-west-1").add_auth(self._request)
        self._connection = http.client.HTTPConnection(urlsplit(env["AWS_ENDPOINT_URL"]).netloc)
        self._path = path
        self._stop_now = threading.Event()
        self.calls = 0
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._stop_now.wait(PAUSE_SECONDS):
            try:
                self._call()
            except Exception as error:
                self.failures.append(repr(error))
                self._connection.close()
            self.calls += 1

    def _call(self) -> None:
        self._connection.request("POST", self._path, self._request.body, dict(self._request.headers))
        reply = self._connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{reply.status}: {text.decode()}")
        json.loads(text)["predictions"][0]["label"]

    def finish(self) -> None:
        self._stop_now.set()
        self.join(30)
        self._connection.close()

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
