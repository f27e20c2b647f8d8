"""All rules of the pack. Constructing a PolicyPack blocks for ever, so only `__main__.py` does that."""

from pulumi_policy import Policy

from infra.policies import accelerated, hosting, jobs, permissions, placement, secret_values, storage, supporting
from infra.policies.rule import Rule

NAME = "slipway"
SECTIONS: dict[str, tuple[Rule, ...]] = {
    "Storage": storage.RULES,
    "Permissions": permissions.RULES,
    "Keys, images, logs and networks": supporting.RULES,
    "Training": (*jobs.RULES, *accelerated.RULES, *secret_values.RULES),
    "Serving": hosting.RULES,
    "Every resource": placement.RULES,
}
RULES: tuple[Rule, ...] = tuple(rule for rules in SECTIONS.values() for rule in rules)


def policies() -> list[Policy]:
    """The rules in the form that the engine takes."""
    return [rule.policy() for rule in RULES]
