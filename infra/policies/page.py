"""docs/policies.md: every rule, generated from the code.

    python -m infra.policies.page > docs/policies.md

A test compares the page with what this prints.
"""

from collections.abc import Iterator
from dataclasses import fields

from infra.policies.kinds import LIMITS, Limits
from infra.policies.pack import RULES, SECTIONS
from infra.policies.rule import MANDATORY, Rule

HEAD = """# Policies

{count} rules that the Pulumi engine applies to every resource before it is made or changed:

```console
pulumi preview --policy-pack infra/policies
pulumi up --policy-pack infra/policies
```

A violation of a mandatory rule stops the operation; an advisory one is a remark. Each message names the resource, the
value, what is allowed and what to set. A value that is not known in a preview is judged during the update, before the
resource is made. Rules marked "stack" look at several resources together; they are judged at the end of the operation,
so preview before you update.

Levels and limits can be changed with `--policy-pack-config FILE`, per rule:

```json
{{"gpu-ceiling": {{"gpus": 16}}, "log-retention": "advisory"}}
```

This page is generated: `python -m infra.policies.page > docs/policies.md`.
"""
LIMITS_HEAD = """## Limits by kind of stack

The kind is the provider's default tag `slipway:kind` (from `slipway:preset`), else it follows from the stack's name
(`prod...`, `pr-...`, anything else is dev).
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [HEAD.format(count=len(RULES))]
    for title, rules in SECTIONS.items():
        rows = ["| rule | level | what it demands | configuration |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([f"## {title}\n", *rows, *map(_row, rules)]) + "\n")
    parts.append(LIMITS_HEAD)
    parts.append("\n".join(_limits()))
    return "\n".join(parts)


def _row(rule: Rule) -> str:
    level = "mandatory" if rule.level is MANDATORY else "advisory"
    scope = "" if rule.judge else " (stack)"
    config = "; ".join(f"`{name}`: {schema['description']}" for name, schema in rule.schema.items())
    return f"| `{rule.name}`{scope} | {level} | {rule.description} | {config} |"


def _limits() -> Iterator[str]:
    yield f"| limit | {' | '.join(LIMITS)} |"
    yield f"| --- |{' --- |' * len(LIMITS)}"
    for one in fields(Limits):
        values = [str(getattr(make(), one.name)) for make in LIMITS.values()]
        yield f"| {one.name.replace('_', ' ')} | {' | '.join(values)} |"


if __name__ == "__main__":
    print(page())
