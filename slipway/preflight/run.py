"""All checks at once: the plan first, then everything that can be asked about it, side by side."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed

from slipway.errors import SlipwayError
from slipway.preflight import inputs, lock, money, offers, permissions, quotas
from slipway.preflight import names as fixed_names
from slipway.preflight.finding import Finding
from slipway.preflight.plan import Plan, make
from slipway.project import Stack
from slipway.view import Steps

Check = Callable[[Stack, Plan], list[Finding]]
CHECKS: Mapping[str, Check] = {
    "quotas": quotas.check,
    "instances": offers.check,
    "permissions": permissions.check,
    "inputs": inputs.check,
    "names": fixed_names.check,
    "budget": money.check,
    "lock": lock.check,
}


def examine(stack: Stack, steps: Steps) -> list[Finding]:
    """Every finding, in the order of CHECKS; a preview that fails is the first problem, and the rest is still done."""
    with steps.step("preview") as step:
        plan = make(stack)
        step.result = "the program fails" if plan.error else f"{len(plan.planned.resources)} resources"
    with steps.step("checks") as step:
        found = [*_preview(stack, plan), *judge(stack, plan, CHECKS, step.show)]
        step.result = counts(found)
    return found


def judge(stack: Stack, plan: Plan, names: Iterable[str], show: Callable[[str], None]) -> list[Finding]:
    """Some of CHECKS on a plan that is there already; `show` is told which are still under way."""
    done: dict[str, list[Finding]] = {}
    wanted = list(names)
    with ThreadPoolExecutor(len(wanted), thread_name_prefix="preflight") as pool:
        futures = {pool.submit(_guarded, name, CHECKS[name], stack, plan): name for name in wanted}
        for future in as_completed(futures):
            done[futures[future]] = future.result()
            show(", ".join(name for name in wanted if name not in done))
    return [finding for name in wanted for finding in done[name]]


def _guarded(name: str, check: Check, stack: Stack, plan: Plan) -> list[Finding]:
    """A check that fails itself must not hide what the others found."""
    try:
        return check(stack, plan)
    except SlipwayError as error:
        return [Finding(check=name, level="warning", found=f"cannot tell: {error}")]


def _preview(stack: Stack, plan: Plan) -> list[Finding]:
    if not plan.error:
        return []
    return [
        Finding(
            check="preview",
            level="problem",
            found=plan.error,
            needed="a program that runs; without it only what the stack's file says is checked",
            mend=f"correct Pulumi.{stack.name}.yaml, then: pulumi preview --stack {stack.name}",
        )
    ]


def counts(findings: list[Finding]) -> str:
    """`2 problems, 1 warning, 9 ok`."""
    numbers = {level: sum(one.level == level for one in findings) for level in ("problem", "warning", "ok")}
    words = [f"{numbers[level]} {level}{'s' if numbers[level] != 1 else ''}" for level in ("problem", "warning")]
    return ", ".join([*words, f"{numbers['ok']} ok"])
