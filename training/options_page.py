"""docs/hyperparameters.md, from the options and the registry themselves.

python -m training.options_page > docs/hyperparameters.md
"""

import dataclasses
from typing import Any

from training.models.registry import OURS
from training.options import SECTIONS, TASKS

HEAD = """\
# Hyperparameters of `train`

Set them in a stack's `slipway:training.hyperparameters`, as `HyperParameters` of a SageMaker training job, or in
`input/config/hyperparameters.json` of a job folder. All are optional. A wrong name, type or value ends the job within a
tenth of a second, with every problem in `FailureReason` at once. This page is generated (`python -m
training.options_page`).
"""
TITLES = {
    "data": "Data",
    "model": "Model",
    "optimizer": "Optimizer",
    "loop": "Loop",
    "augment": "Augmentation",
    "gate": "Gate",
    "export": "Export",
}


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, *_models(), *(line for section in SECTIONS for line in _section(section))])


def _models() -> list[str]:
    lines = ["## Models", "", "The first model of a task is its default.", ""]
    lines += ["| task | model | its own defaults |", "| --- | --- | --- |"]
    for task in TASKS:
        for entry in OURS.values():
            if task in entry.tasks:
                own = ", ".join(f"{name}={value}" for name, value in entry.defaults.items())
                lines.append(f"| {task} | `{entry.name}` | {own} |")
    return [*lines, ""]


def _section(section: str) -> list[str]:
    kind = SECTIONS[section]
    lines = [
        f"## {TITLES[section]}",
        "",
        kind.__doc__ or "",
        "",
        "| name | default | allowed | |",
        "| --- | --- | --- | --- |",
    ]
    for option in dataclasses.fields(kind):
        lines.append(
            f"| `{option.name}` | {_value(option.default)} | {_allowed(option)} | {option.metadata['about']} |"
        )
    return [*lines, ""]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def _allowed(option: "dataclasses.Field[Any]") -> str:
    rules = option.metadata
    if option.type is bool:
        return "true, false"
    if "minimum" in rules:
        return f"{rules['minimum']:g} to {rules['maximum']:g}"
    return ", ".join(rules["allowed"]) if "allowed" in rules else "text"


if __name__ == "__main__":
    print(page(), end="")
