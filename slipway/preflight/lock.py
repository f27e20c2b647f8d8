"""Whether somebody else is changing the stack: Pulumi's lock on its state."""

from slipway.locks import locks_of
from slipway.preflight.finding import Finding, UnknownError, asking, unknown
from slipway.preflight.plan import Plan
from slipway.project import Stack
from slipway.state.files import state_files

CHECK = "state lock"


def check(stack: Stack, plan: Plan) -> list[Finding]:
    try:
        with asking("the state's locks", "s3:ListBucket and s3:GetObject on the state's bucket"):
            held = locks_of(state_files(stack), stack)
    except UnknownError as error:
        return [unknown(CHECK, error)]
    if not held:
        return [Finding(check=CHECK, level="ok", found="free")]
    mend = f"wait until that has ended; if it died: slipway unlock --stack {stack.name}"
    return [Finding(check=CHECK, level="problem", found=f"held by {lock.owner}", mend=mend) for lock in held]
