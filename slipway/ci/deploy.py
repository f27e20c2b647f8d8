"""`slipway ci deploy`: plan, judge, change, prove. Nothing is changed unless the policy agrees with the whole plan."""

from pathlib import Path

from slipway.ci.changing import changing
from slipway.ci.events import preview
from slipway.ci.github import add_to_summary
from slipway.ci.report import counts, preview_report
from slipway.ci.stacks import ensure
from slipway.deploy import up
from slipway.errors import USAGE, SlipwayError
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


def deploy(stack: Stack, steps: Steps, pack: str, *, new: bool = False) -> None:
    """Make AWS what the program says, and prove it. `new`: the stack may not exist yet.

    Raises SlipwayError: exit code 3 when the policy says no, 1 when anything fails or is not proven.
    """
    with changing(stack, steps):
        if new:
            ensure(stack)
        with steps.step("plan") as step:
            plan = preview(stack, pack)
            step.result = counts(plan)
            add_to_summary(preview_report(stack.name, plan))
            if plan.error:
                raise SlipwayError(plan.error, plan.exit_code)
        up(stack, steps, "--policy-pack", pack)
        verify(stack, steps)
