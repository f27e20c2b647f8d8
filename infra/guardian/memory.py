"""The function's memory: one JSON object in the data bucket, which one run at a time holds.

Two firings may overlap (a check, the budget's message, an operator), and Lambda's reserved concurrency, which would
forbid that, is refused in new accounts: it may not leave less than 10 or 100 of the account's concurrency, and new ones
have 10. So a run takes the object by writing its own lease into it on the condition that nobody else has written since
(If-Match, If-None-Match). A run that dies leaves its lease, which ends by itself.
"""

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

KEY = "guard/state.json"
LEASE_SECONDS = 150
"""Longer than the function may run (infra.spending.TIMEOUT_SECONDS), shorter than the pause between two checks."""
LOST = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
ABSENT = ("NoSuchKey", "404", "AccessDenied", "403")
"""S3 answers 403 for a missing key unless the caller may list the whole bucket; the conditional write tells which."""

State = dict[str, Any]


class BusyError(RuntimeError):
    """Another run holds the memory."""


def fresh() -> State:
    """The memory of a stack that the function sees for the first time."""
    return {
        "format": 1,
        "lease": None,
        "born": None,  # epoch seconds of the first event
        "extended_to": None,
        "warned_of": None,  # the end that the topic has been warned of
        "seen": None,  # epoch seconds up to which the endpoint has been counted
        "month": None,  # {"name", "endpoint_usd", "jobs": {name: {"usd", "open"}}, "unpriced"}
        "raised": None,  # {"month", "usd"}: a limit that an operator set for one month
        "breach": None,  # {"since", "month", "spent_usd", "limit_usd", "by"}: in force until resumed
        "stopped": None,  # {"reason", "since", "phase", "endpoint"}
        "untold": [],  # [subject, message] that the topic has not been told yet
        "told_problem": "",
    }


class Memory:
    def __init__(self, s3: Any, bucket: str, owner: str, machine_now: Callable[[], float]) -> None:
        self._s3, self._bucket, self._owner, self._machine_now = s3, bucket, owner, machine_now
        self._etag: str | None = None
        self.state: State = fresh()

    def look(self) -> State:
        """The memory as it is, without holding it."""
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=KEY)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ABSENT:
                raise
            self._etag, self.state = None, fresh()
            return self.state
        self._etag, self.state = found["ETag"], fresh() | json.loads(found["Body"].read())
        return self.state

    def take(self) -> State:
        """Hold it. Raises BusyError while another run does."""
        lease = self.look()["lease"]
        if lease and lease["until"] > self._machine_now():
            raise BusyError(f"run {lease['by']} is at work")
        self.state["lease"] = {"by": self._owner, "until": self._machine_now() + LEASE_SECONDS}
        self.save()
        return self.state

    def save(self) -> None:
        """Write it, unless somebody else has since it was read. Raises BusyError then."""
        condition = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        body = json.dumps(self.state, indent=1, default=str).encode()
        try:
            done = self._s3.put_object(
                Bucket=self._bucket, Key=KEY, Body=body, ContentType="application/json", **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in LOST:
                raise BusyError("another run has written the memory") from error
            raise
        self._etag = done["ETag"]

    def give_back(self) -> None:
        self.state["lease"] = None
        self.save()
