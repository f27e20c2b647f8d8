"""`slipway ci deploy`: plan, judge, change, prove. Nothing is changed unless the policy agrees with the whole plan."""

from datetime import date
from pathlib import Path

from slipway.ci.changing import changing
from slipway.ci.cost import Limit, cost_of, keep_cost
from slipway.ci.events import preview
from slipway.ci.github import add_to_summary
from slipway.ci.report import counts, preview_report
from slipway.ci.stacks import ensure
from slipway.errors import REFUSED, USAGE, SlipwayError
from slipway.ladder import climb
from slipway.preflight.gate import hold
from slipway.project import Stack
from slipway.verify import verify
from slipway.view import Steps

POLICY_PACK = "infra/policies"


def pack_of(stack: Stack, folder: Path | None) -> str:
    """The folder of the policy pack: the given one, else the project's. Raises SlipwayError when it holds none."""
    found = folder or stack.root / POLICY_PACK
    if not (found / "PulumiPolicy.yaml").is_file():
        raise SlipwayError(f"no policy pack in {found}: it has no PulumiPolicy.yaml; name one by --policy-pack", USAGE)
    return str(found.resolve())


def deploy(
    stack: Stack, steps: Steps, pack: str, *, new: bool = False, limit: Limit | None = None, checked: bool = True
) -> None:
    """Make AWS what the program says, and prove it. `new`: the stack may not exist yet. `checked`: look first
    whether quotas, inputs and names allow it.

    Raises SlipwayError: exit code 3 when the policy, a check or the limit of the cost says no, 1 when anything fails or
    is not proven.
    """
    with changing(stack, steps):
        if new:
            ensure(stack)
        with steps.step("plan") as step:
            plan = preview(stack, pack)
            step.result = counts(plan)
            cost = cost_of(stack, plan, limit, date.today())
            add_to_summary(preview_report(stack.name, plan, cost.section if cost else ""))
            if plan.error:
                raise SlipwayError(plan.error, plan.exit_code)
        if checked:
            hold(stack, plan, steps)
        if cost:
            with steps.step("cost") as step:
                step.result = cost.line
                if cost.refused:
                    raise SlipwayError(cost.refused, REFUSED)
                keep_cost(stack, cost)
        climb(stack, steps, "--policy-pack", pack)
        verify(stack, steps)
