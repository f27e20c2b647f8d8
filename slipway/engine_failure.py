"""Why a verb of the engine failed, as a person reads it: its own errors, the policy's refusals, or the stack's lock."""

import re
from typing import Any

from slipway.errors import REFUSED, SlipwayError

LOCKED = "the stack is currently locked by"
LOCK_LINE = re.compile(r"created by (?P<user>.*)@(?P<host>.*) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")


class Failure:
    """What the events of a verb tell about its failure."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        self._refusals: list[str] = []

    def see(self, raw: dict[str, Any]) -> None:
        """Keep an event that may be a reason."""
        diagnostic = raw.get("diagnosticEvent", {})
        if diagnostic.get("severity") == "error":
            self._errors.append(diagnostic["message"].rstrip())
        policy = raw.get("policyEvent", {})
        if policy.get("enforcementLevel") == "mandatory":
            name = policy.get("resourceUrn", "").rsplit("::", 1)[-1]
            self._refusals.append(f"  {policy['policyName']}: {name}: {' '.join(policy['message'].split())}")

    def error(self, stack: str, output: str) -> SlipwayError:
        """The error to raise; `output` is what the engine printed."""
        if self._refusals:
            return SlipwayError(f"the policy refuses stack {stack}:\n" + "\n".join(self._refusals), REFUSED)
        text = "\n".join(self._errors).strip() or output.strip()
        return SlipwayError(locked(stack, text) if LOCKED in text else text)


def locked(stack: str, text: str) -> str:
    """Pulumi's message about a locked stack as one sentence that says who, where, since when, and what to do."""
    owners = [f"{m['user']} on {m['host']} (pid {m['pid']}) since {m['since']}" for m in LOCK_LINE.finditer(text)]
    return (
        f"stack {stack} is being changed by {', and by '.join(owners)}; wait until that has ended. "
        f"If it died: slipway unlock --stack {stack}"
    )
