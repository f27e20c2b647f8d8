"""Calling the stack's guardian, the Lambda function that stops it and brings it back; lifting what it froze.

Whatever stops and starts is the guardian's own doing (infra/guardian), so that a person and the clock cannot differ.
Only to lift a freeze takes the caller's own keys: the guardian may attach AWSDenyAll and never detach it.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from slipway.errors import REFUSED, USAGE, SlipwayError
from slipway.project import Stack
from slipway.searches import pages

DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
DURATION = re.compile(r"(\d+(?:\.\d+)?)(m|h|d)")
HOURS_OF = {"m": 1 / 60, "h": 1.0, "d": 24.0}
LONGEST_HOURS = 8760
START_SECONDS = 30 * 60
"""A large model on a large instance."""
STOP_SECONDS = 15 * 60
BUSY_SECONDS = 60
POLL_SECONDS, SLOWEST_POLL_SECONDS = 0.5, 10.0
IAM_SECONDS = 10
"""Until a detached policy denies no more, everywhere: IAM gives no number, its guide says seconds."""
Answer = dict[str, Any]
Show = Callable[[str], None]


def hours_of(text: str) -> float:
    """The hours in 90m, 4h or 2d. Raises SlipwayError saying what is allowed."""
    match = DURATION.fullmatch(text.strip())
    hours = float(match[1]) * HOURS_OF[match[2]] if match else 0.0
    if not 0 < hours <= LONGEST_HOURS:
        allowed = f"minutes, hours or days, at most {LONGEST_HOURS} hours: 90m, 4h, 2d"
        raise SlipwayError(f"the extension is {text!r}; allowed: {allowed}", USAGE)
    return hours


def guardian(stack: Stack) -> str:
    """The name of the stack's guardian function."""
    name = re.compile(rf"{re.escape(stack.prefix)}-guard-[0-9a-f]{{7}}")
    for function in pages(stack.client("lambda"), "list_functions", "Functions"):
        if name.fullmatch(function["FunctionName"]):
            return str(function["FunctionName"])
    raise SlipwayError(
        f"stack {stack.name} has no guardian ({stack.prefix}-guard-... in {stack.region}): it was never up, or is of "
        f"before there was one. Make it: pulumi up --stack {stack.name}"
    )


def call(stack: Stack, action: str, **more: Any) -> Answer:
    """What the guardian answers to an event. Raises SlipwayError when it fails or cannot."""
    function, deadline = guardian(stack), time.monotonic() + BUSY_SECONDS
    while True:
        event = {"action": action, "attended": True, "time": _now(stack), **more}
        done = stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        answer: Answer = json.loads(done["Payload"].read())
        if done.get("FunctionError"):
            raise SlipwayError(
                f"the guardian failed: {answer.get('errorMessage', answer)}. Its log: CloudWatch Logs, group "
                f"/aws/lambda/{stack.prefix}-guard"
            )
        if not answer.get("busy"):
            return answer
        if time.monotonic() > deadline:
            raise SlipwayError("another run of the guardian is at work; try again in a minute")
        time.sleep(POLL_SECONDS)


def _now(stack: Stack) -> str:
    """The time of the cloud that the stack is in: the embedded AWS has a clock of its own."""
    now = time.time()
    if stack.local:
        from urllib.request import urlopen

        with urlopen(f"{stack.environment['AWS_ENDPOINT_URL']}/_localaws/clock") as reply:
            now = float(json.load(reply)["now"])
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}"


def stop(stack: Stack, show: Show) -> Answer:
    """Everything of the stack that bills by the hour ends; returns the guardian's answer once it has."""
    answer = _obeyed(call(stack, "stop"))
    done = list(answer["did"])
    answer = _followed(stack, answer, show, lambda found: found["phase"] == "stopped", STOP_SECONDS, done)
    return answer | {"did": done}


def start(stack: Stack, show: Show) -> Answer:
    """The stack as it was before it was stopped, in service; returns the guardian's answer then."""
    answer = _obeyed(call(stack, "start"))
    done = list(answer["did"])
    answer = _followed(stack, answer, show, lambda found: found["phase"] == "running", START_SECONDS, done)
    return answer | {"did": done}


def resume(stack: Stack, show: Show, limit_usd: str = "") -> Answer:
    """Lift a breach and its freeze, then start. `limit_usd`: USD for this month from now on, or none."""
    answer = call(stack, "start", resume=True, limit_usd=limit_usd)
    if answer["breach"] or (answer["refused"] and not answer["frozen"]):
        _obeyed(answer)
    lifted = list(answer["did"])
    for role in answer["frozen"]:
        show(f"lifting the freeze of {role}")
        stack.client("iam").detach_role_policy(RoleName=role, PolicyArn=DENY_ALL)
        lifted.append(f"lifted the freeze of {role}")
    if answer["frozen"] and not stack.local:
        time.sleep(IAM_SECONDS)
    answer = start(stack, show)
    return answer | {"did": [*lifted, *answer["did"]]}


def extend(stack: Stack, hours: float) -> Answer:
    """Give the stack so many hours more; the new end is in the answer's `ends`."""
    return _obeyed(call(stack, "extend", hours=hours))


def _obeyed(answer: Answer) -> Answer:
    if answer.get("refused"):
        raise SlipwayError(str(answer["refused"]), REFUSED)
    return answer


def _followed(
    stack: Stack, answer: Answer, show: Show, over: Callable[[Answer], bool], seconds: float, done: list[str]
) -> Answer:
    """Checks, until it is over: the guardian goes on with each, and would by its own schedule."""
    deadline, wait_seconds = time.monotonic() + seconds, POLL_SECONDS
    while not over(answer):
        if answer["problems"]:
            raise SlipwayError("the guardian could not do all of it:\n  " + "\n  ".join(answer["problems"]))
        if failed := next((one for one in answer["left"] if " failed: " in one), ""):
            raise SlipwayError(f"{failed}\nIts log: slipway logs --endpoint --stack {stack.name}")
        if time.monotonic() > deadline:
            left = "; ".join(answer["left"]) or answer["phase"]
            raise SlipwayError(f"not over after {seconds / 60:.0f} min ({left}); the guardian goes on by itself")
        show(answer["left"][0] if answer["left"] else answer["phase"])
        time.sleep(wait_seconds)
        wait_seconds = min(wait_seconds * 1.2, SLOWEST_POLL_SECONDS)
        answer = _obeyed(call(stack, "check"))
        done += [one for one in answer["did"] if one not in done]
    return answer
