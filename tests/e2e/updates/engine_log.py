"""What the engine did in one `pulumi up`: operations on AWS's resources in the order in which they were done."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.checkout import Checkout, Done

UNSEEN = {"same", "replace", "read", "refresh", "remove-pending-replace"}
NAMES = {"create-replacement": "create", "delete-replaced": "delete", "discard": "forget"}


@dataclass(frozen=True, kw_only=True)
class Update:
    """One `up`: how it ended and what was done, for example ("create model", "update endpoint", "delete model")."""

    done: Done
    operations: tuple[str, ...]


def up(checkout: Checkout, folder: Path, *options: str) -> Update:
    """Run `pulumi up` and read its event log."""
    log = folder / "events.json"
    log.unlink(missing_ok=True)
    checkout.environment["PULUMI_DEBUG_COMMANDS"] = "true"  # the event log is still marked as a debugging flag
    done = checkout.up("--event-log", str(log), *options)
    operations = []
    for line in log.read_text().splitlines():
        event = json.loads(line).get("resOutputsEvent")
        if not event:
            continue
        facts = event["metadata"]
        if facts["type"].startswith("aws:") and facts["op"] not in UNSEEN:
            operations.append(f"{NAMES.get(facts['op'], facts['op'])} {kind(facts['type'])}")
    return Update(done=done, operations=tuple(operations))


def kind(token: str) -> str:
    """aws:sagemaker/endpointConfiguration:EndpointConfiguration -> endpoint configuration."""
    words = re.sub(r"(?<=[a-z0-9])([A-Z])", r" \1", token.rsplit(":", 1)[1]).lower()
    service = token.split(":")[1].split("/")[0]
    return f"{service} {words}" if words in ("policy", "target", "key", "alias", "topic", "role") else words
