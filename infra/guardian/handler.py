"""The function: an event in, a JSON document out. What it is asked for is in `events`, what it answers in `answer`."""

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import boto3
from botocore.config import Config

from .events import EventError, read_event
from .facts import Facts, read_facts
from .memory import BusyError, Memory
from .rules import end_of, utc
from .run import Client, Run
from .spend import limit, month_of
from .start import breached_usd, frozen_roles, start
from .stop import stop
from .watch import check, meter, notice

SECONDS_PER_HOUR = 3600
BUSY_TRIES, BUSY_SECONDS = 20, 1.0
ATTEMPTS = 5
"""Of one AWS call: the function has minutes, and a throttled stop costs money."""


class FailedError(RuntimeError):
    """Part of the work failed and nobody reads the answer: Lambda counts the error and fires again."""


def handle(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point."""
    owner = str(getattr(context, "aws_request_id", "") or f"process-{os.getpid()}")
    answer = respond(event, read_facts(os.environ), _client, owner)
    print(json.dumps(answer))
    return answer


@cache
def _client(service: str) -> Any:
    retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    return boto3.client(service, config=Config(retries=retries))


def respond(
    event: Mapping[str, Any],
    facts: Facts,
    client: Client,
    owner: str,
    machine_now: Callable[[], float] = time.time,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Do what the event asks for. Raises FailedError, or BusyError, where nobody reads the answer."""
    memory = Memory(client("s3"), facts.bucket, owner, machine_now)
    try:
        asked = read_event(event, machine_now())
    except EventError as refused:
        return {"stack": facts.stack, "refused": str(refused)}
    run = Run(facts=facts, client=client, memory=memory, asked=asked)
    if asked.action == "ignore":
        return {"stack": facts.stack, "ignored": "a report of its own"}
    if asked.action == "status":
        memory.look()
        return answer(run)
    if not _taken(run, pause):
        return {"stack": facts.stack, "busy": True}
    _act(run)
    if run.problems and not asked.attended:
        raise FailedError("; ".join(run.problems))
    return answer(run)


def _taken(run: Run, pause: Callable[[float], None]) -> bool:
    """Whether this run holds the memory. A check leaves it to the run that has it; anything else waits for it."""
    tries = 1 if run.asked.action == "check" else BUSY_TRIES
    for attempt in range(tries):
        try:
            run.memory.take()
            return True
        except BusyError:
            if attempt + 1 < tries:
                pause(BUSY_SECONDS)
            elif run.asked.action == "notice":
                raise
    return False


def _act(run: Run) -> None:
    """Do it, tell the topic, give the memory back: also when part of it failed."""
    if run.state["born"] is None:
        run.state["born"] = run.now
    try:
        run.attempt(run.asked.action, partial(ACTIONS[run.asked.action], run))
        _tell_problems(run)
        run.attempt("report", run.publish)
    finally:
        run.memory.give_back()


def _tell_problems(run: Run) -> None:
    """Once for each text: a guardian that cannot act must be heard of, but not every few minutes."""
    text = "\n".join(run.problems)
    if text and text != run.state["told_problem"]:
        run.tell("the guardian could not do all of it", text)
    run.state["told_problem"] = text


def _stop(run: Run) -> None:
    run.attempt("what is spent", partial(meter, run))
    stop(run, run.asked.reason, f"Stopped {run.asked.reason}.")


def _extend(run: Run) -> None:
    end = end_of(run.facts, run.state)
    if end is None:
        run.refused = (
            "this stack has no end (slipway:expires is never, and slipway:spending.time_to_live_hours is not set), so "
            "there is nothing to extend"
        )
        return
    run.state["extended_to"] = max(end, run.now) + run.asked.hours * SECONDS_PER_HOUR
    run.did.append(f"extended to {utc(run.state['extended_to'])}")


ACTIONS: Mapping[str, Callable[[Run], None]] = {
    "check": check,
    "notice": notice,
    "stop": _stop,
    "start": start,
    "extend": _extend,
}


def answer(run: Run) -> dict[str, Any]:
    """Where the stack stands, and what this run did about it."""
    state, stopped = run.state, run.state["stopped"]
    month = state["month"] if state["month"] and state["month"]["name"] == month_of(run.now) else None
    now_limit, end = limit(run.facts, state, run.now), end_of(run.facts, state)
    return {
        "stack": run.facts.stack,
        "phase": stopped["phase"] if stopped else "running",
        "reason": stopped["reason"] if stopped else None,
        "since": utc(stopped["since"]) if stopped else None,
        "breach": state["breach"],
        "frozen": frozen_roles(run) if state["breach"] or run.asked.resume else [],
        "spent_usd": f"{breached_usd(state, run.now):.2f}",
        "limit_usd": f"{now_limit:.2f}" if now_limit is not None else None,
        "month": month_of(run.now),
        "unpriced": month["unpriced"] if month else [],
        "ends": utc(end) if end is not None else None,
        "did": run.did,
        "left": run.left,
        "problems": run.problems,
        "refused": run.refused or None,
        "back": run.facts.back if stopped else None,
    }
