"""The checks as a step of `slipway ci deploy`: those whose problems are certain, on the plan that the stage has anyway.

Quotas, inputs and names are facts, and a deployment against them fails half-way. What the policy simulator, an older
API model or a budget says may be wrong or wanted, so a stage does not refuse for it: that is `slipway preflight`.
"""

from slipway.ci import events
from slipway.errors import REFUSED, SlipwayError
from slipway.preflight.plan import of_preview, read_config
from slipway.preflight.run import counts, judge
from slipway.project import Stack
from slipway.view import Steps

CERTAIN = ("quotas", "inputs", "names")


def hold(stack: Stack, plan: events.Plan, steps: Steps) -> None:
    """Raises SlipwayError (exit code 3), naming every problem and what mends it; warnings are only counted."""
    with steps.step("preflight") as step:
        found = judge(stack, of_preview(plan, read_config(stack)), CERTAIN, step.show)
        step.result = counts(found)
        problems = [one for one in found if one.level == "problem"]
        if problems:
            listed = "\n".join(
                f"  {one.check}: {one.found}" + (f"; needed: {one.needed}" if one.needed else "") + f"\n    {one.mend}"
                for one in problems
            )
            raise SlipwayError(
                f"{len(problems)} problem(s) would stop this deployment half-way:\n{listed}\n"
                f"Everything that was looked at: slipway preflight --stack {stack.name}; to go on all the same: "
                "--skip-preflight",
                REFUSED,
            )
