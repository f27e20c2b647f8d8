"""`slipway down`: remove everything of a stack, then prove it."""

import time

from slipway.deploy import destroy
from slipway.engine import Engine
from slipway.errors import SlipwayError
from slipway.leaks import Leftover, being_deleted, find_leaks
from slipway.project import Stack
from slipway.records import find_records, remove_records
from slipway.view import Steps

ENDPOINT_DELETION_SECONDS = 15 * 60
POLL_SECONDS = 0.2


def down(stack: Stack, steps: Steps) -> list[Leftover]:
    """`pulumi destroy`, the records, the search for leftovers; returns what is left (nothing, one hopes).

    Raises SlipwayError, with everything as it was, when the stack is protected.
    """
    with steps.step("teardown") as step:
        refuse_protected(stack)
        step.result = f"{destroy(stack, step.show)} resources deleted"
        # Pulumi looks away as soon as an endpoint is being deleted; the proof needs it gone.
        deadline = time.monotonic() + ENDPOINT_DELETION_SECONDS
        while (leaving := being_deleted(stack)) and time.monotonic() < deadline:
            step.show(f"waiting for AWS to delete {leaving[0]}")
            time.sleep(POLL_SECONDS)
        if leaving:
            minutes = ENDPOINT_DELETION_SECONDS // 60
            raise SlipwayError(
                f"endpoint {leaving[0]} is still being deleted after {minutes} min; run this again later"
            )
    with steps.step("records") as step:
        records = find_records(stack)
        remove_records(stack, records, step.show)
        step.result = f"{len(records)} run logs and registered models deleted"
    return check(stack, steps)


def refuse_protected(stack: Stack) -> None:
    """The engine would stop at the first protected resource with half of the stack gone."""
    protected = Engine(stack).protected()
    if protected:
        option = f"--stack {stack.name}"
        raise SlipwayError(
            f"stack {stack.name} is protected, nothing was removed: {', '.join(protected)}. "
            "To remove it with all its data:\n"
            f"  pulumi config set slipway:protect false {option}\n  pulumi up {option}\n  slipway down {option}"
        )


def check(stack: Stack, steps: Steps) -> list[Leftover]:
    """The leak check as a step."""
    with steps.step("leak check") as step:
        kinds: list[str] = []

        def looked_at(kind: str) -> None:
            kinds.append(kind)
            step.show(f"searching: {kind}")

        left = find_leaks(stack, looked_at)
        step.result = f"{len(left) or 'nothing'} left of {stack.prefix} ({len(kinds)} searches, by name and by tag)"
    return left
