"""What the program's actions share: polling, the line beside a resource, the end of a log; none runs in a preview."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import pulumi
from botocore.exceptions import ClientError

POLL_SECONDS = 0.5  # the first look; each further one waits longer
SLOWEST_POLL_SECONDS = 10.0
LOG_TAIL_LINES = 20

Value = TypeVar("Value")
Say = Callable[[str], None]
Client = Callable[[str], Any]
"""Gives the boto3 client of a service."""


class ActionFailed(pulumi.RunError):
    """A build, a run or a deployment did not succeed. The engine prints the message without a traceback."""


def sayer(resource: pulumi.Resource | None) -> Say:
    """Shows a line beside the resource while it is true. Pulumi's log wants the event loop's own thread."""
    loop = asyncio.get_running_loop()

    def say(text: str) -> None:
        loop.call_soon_threadsafe(partial(pulumi.log.info, text, resource, ephemeral=True))

    return say


def poll(look: Callable[[], dict[str, Any]], done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look until done, at first often (a rehearsal takes seconds), then every ten seconds (a real run takes hours)."""
    wait_seconds = POLL_SECONDS
    while not done(found := look()):
        time.sleep(wait_seconds)
        wait_seconds = min(wait_seconds * 1.1, SLOWEST_POLL_SECONDS)
    return found


def unless_preview(value: Value, action: Callable[[], Awaitable[Value]]) -> Awaitable[Value] | Value:
    """In a preview the value that the action would return, without the action."""
    return value if pulumi.runtime.is_dry_run() else action()


def log_tail(client: Client, group: str, stream_prefix: str) -> str:
    """The last lines of the stream that was written to last, of those whose names begin with `stream_prefix`."""
    logs = client("logs")
    prefix = {"logStreamNamePrefix": stream_prefix} if stream_prefix else {}
    try:
        streams = logs.describe_log_streams(logGroupName=group, **prefix)["logStreams"]
        if not streams:
            return "  (no log)"
        stream = max(streams, key=lambda one: one.get("lastEventTimestamp", 0))["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=LOG_TAIL_LINES)["events"]
    except ClientError as error:
        # The tail is a courtesy inside another error, which must not be lost to this one.
        return f"  (no log: {error.response['Error']['Message']})"
    return "\n".join(f"  {event['message'].rstrip()}" for event in events)
