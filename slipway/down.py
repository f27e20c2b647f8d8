"""`slipway down`: remove everything of a stack, then prove it.

What bills by the hour goes first, what is full is emptied, Pulumi deletes what it knows, and what it does not know is
found by name and by tag and removed without it. Every step may be repeated: a teardown that was killed, at whatever
moment, is finished by the next one.
"""

import time

from slipway.deploy import destroy
from slipway.errors import SlipwayError
from slipway.leaks import Leftover, being_deleted, find_leaks
from slipway.project import Stack
from slipway.records import find_records, remove_records
from slipway.teardown import jobs
from slipway.teardown.contents import empty_bucket, empty_repository
from slipway.teardown.recorded import clear_pending, protected, recorded, resources
from slipway.teardown.removal import Failure, remove_all
from slipway.teardown.worth import Worth, in_words, worths
from slipway.view import Step, Steps

ENDPOINT_DELETION_SECONDS = 15 * 60
POLL_SECONDS = 0.2


def down(stack: Stack, steps: Steps) -> list[Leftover]:
    """Take the stack down, step by step; returns what is left (nothing, one hopes).

    Raises SlipwayError, with everything as it was, when the stack is protected.
    """
    state = recorded(stack)
    refuse_protected(stack, protected(state))
    with steps.step("inventory") as step:
        step.show("searching")
        found = find_leaks(stack, lambda kind: step.show(f"searching: {kind}"))
        records = find_records(stack)
        priced = worths(stack, found)
        step.result = f"{len(found)} things of {stack.prefix}: {in_words(priced)}"
    if not (found or records or resources(state)):
        steps.note(f"nothing of {stack.prefix} exists in {stack.region}: it was never up, or is gone already")
        return []
    with steps.step("jobs") as step:
        step.result = _stop(stack, step)
    with steps.step("contents") as step:
        step.result = _empty(stack, found, step)
    if state is not None:
        with steps.step("teardown") as step:
            step.result = _destroy(stack, state, priced, step)
    with steps.step("records") as step:
        records = find_records(stack)
        remove_records(stack, records, step.show)
        step.result = f"{len(records)} run logs and registered models deleted"
    return prove(stack, steps)


def refuse_protected(stack: Stack, names: list[str]) -> None:
    """The engine would stop at the first protected resource with half of the stack gone."""
    if names:
        option = f"--stack {stack.name}"
        raise SlipwayError(
            f"stack {stack.name} is protected, nothing was removed: {', '.join(names)}. "
            "To remove it with all its data:\n"
            f"  pulumi config set slipway:protect false {option}\n  pulumi up {option}\n  slipway down {option}"
        )


def _stop(stack: Stack, step: Step) -> str:
    schedules = jobs.disable_schedules(stack, step.show)
    running = jobs.running_jobs(stack)
    cost = worths(stack, [Leftover(kind=job.kind.words, name=job.name, how="name") for job in running])
    jobs.stop_jobs(stack, running, step.show)
    pools, builds = jobs.end_warm_pools(stack, step.show), jobs.stop_builds(stack, step.show)
    jobs.settle_endpoints(stack, step.show)
    counts = {"jobs": len(running), "warm pools": pools, "builds": builds, "schedules": schedules}
    stopped = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"{stopped} stopped" + (f": {in_words(cost)}" if running else "") if stopped else "none ran"


def _empty(stack: Stack, found: list[Leftover], step: Step) -> str:
    buckets = [one.name for one in found if one.kind == "bucket"]
    repositories = [one.name for one in found if one.kind == "image repository"]
    versions = sum(empty_bucket(stack, name, step.show) for name in buckets)
    images = sum(empty_repository(stack, name, step.show) for name in repositories)
    return f"{versions} versions of objects in {len(buckets)} buckets, {images} images removed"


def _destroy(stack: Stack, state: dict[str, object], priced: list[Worth], step: Step) -> str:
    """What Pulumi knows. Where something that it does not know is in its way, that is removed and it tries again."""
    forgotten = clear_pending(stack, state)
    first = ""
    try:
        deleted = destroy(stack, step.show)
    except SlipwayError as error:
        if "is being changed by" in str(error):
            raise
        first = str(error)
        remove_all(stack, find_leaks(stack, lambda kind: step.show(f"searching: {kind}")), step.show)
        deleted = destroy(stack, step.show)
    _wait_for_deletion(stack, step)
    words = f"{deleted} resources deleted; with what they held they cost {in_words(priced)}"
    words += f", notes of {forgotten} interrupted operations cleared" if forgotten else ""
    return words + (f", at the second attempt (the first: {first.splitlines()[0]})" if first else "")


def _wait_for_deletion(stack: Stack, step: Step) -> None:
    """Pulumi looks away as soon as an endpoint is being deleted; the proof needs it gone."""
    deadline = time.monotonic() + ENDPOINT_DELETION_SECONDS
    while leaving := being_deleted(stack):
        if time.monotonic() > deadline:
            minutes = ENDPOINT_DELETION_SECONDS // 60
            raise SlipwayError(
                f"endpoint {leaving[0]} is still being deleted after {minutes} min; run this again later"
            )
        step.show(f"waiting for AWS to delete {leaving[0]}")
        time.sleep(POLL_SECONDS)


def prove(stack: Stack, steps: Steps) -> list[Leftover]:
    """The leak check; what it finds is removed, and then it is made once more."""
    left = check(stack, steps)
    if left:
        remove_left(stack, left, steps)
        left = check(stack, steps)
    return left


def remove_left(stack: Stack, left: list[Leftover], steps: Steps) -> list[Failure]:
    """Remove things without Pulumi, as a step; returns what AWS keeps."""
    with steps.step("leftovers") as step:
        priced = worths(stack, left)
        failures = remove_all(stack, left, step.show)
        step.result = f"{len(left) - len(failures)} of {len(left)} removed without Pulumi: {in_words(priced)}"
    for failure in failures:
        steps.note(f"  not removed: {failure.leftover.kind} {failure.leftover.name}: {failure.reason}")
    return failures


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
