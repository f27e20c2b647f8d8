"""Asynchronous invocations: an event is taken at once, run in a thread, and retried when the function fails.

As AWS does it: two more attempts, a minute and then two minutes later by the cloud's clock, fewer where the function's
event invoke configuration says so; an event that is too old, or has failed to the end, is dropped.
"""

import sys
import threading
from typing import Any
from uuid import uuid4

from localaws.clock import Event
from localaws.cloud import Cloud
from localaws.errors import AwsError
from localaws.functions import runner
from localaws.functions.worker import Invocation

RETRIES = 2
RETRY_SECONDS = 60
OLDEST_SECONDS = 6 * 3600


def submit(cloud: Cloud, function: Any, event: str, arn: str) -> tuple[str, Event]:
    """Take an event. Returns the id of the request, and what is set when the first attempt is over."""
    request, attempted = str(uuid4()), cloud.clock.event()
    invocation = Invocation(id=request, event=event, arn=arn)
    name = f"event-{function.function_name}"
    threading.Thread(
        target=_run, args=(cloud, function, invocation, attempted, cloud.clock.now()), name=name, daemon=True
    ).start()
    return request, attempted


def _run(cloud: Cloud, function: Any, invocation: Invocation, attempted: Event, taken: float) -> None:
    config = function.event_invoke_config[0].config if function.event_invoke_config else {}
    retries = config.get("MaximumRetryAttempts", RETRIES)
    oldest = taken + config.get("MaximumEventAgeInSeconds", OLDEST_SECONDS)
    functions, never = cloud.store(function.region, runner.Functions), cloud.clock.event()
    failures, began = 0, taken
    while not functions.closed.is_set():
        started = cloud.clock.machine_now()
        ran, error = _attempt(cloud, function, invocation)
        ended = began + cloud.clock.cloud_seconds(cloud.clock.machine_now() - started)  # a step meanwhile is after it
        attempted.set()
        failures += ran
        if not error or functions.closed.is_set():
            return
        if failures > retries or cloud.clock.now() >= oldest or not function.revision:
            print(f"localaws: {function.function_name} dropped an event: {error}", file=sys.stderr)
            return
        cloud.clock.wait_until(never, ended + RETRY_SECONDS * max(failures, 1))
        began = cloud.clock.now()
    attempted.set()  # nobody waits for what a reset has ended


def _attempt(cloud: Cloud, function: Any, invocation: Invocation) -> tuple[bool, str]:
    """(whether the function ran, its error or ""). A throttled event has not used up one of its attempts."""
    try:
        outcome = runner.invoke(cloud, function, invocation)
    except AwsError as error:
        return error.status != 429, error.message
    except Exception as error:  # a fault in here kills nothing
        return True, repr(error)
    return True, outcome.payload if outcome.failed else ""
