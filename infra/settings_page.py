"""docs/settings.md: every key of a stack's configuration, generated from the models.

    python -m infra.settings_page > docs/settings.md

A test compares the page with what this prints.
"""

import re
import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from infra.presets import PRESETS, Tree
from infra.setting_errors import section_of
from infra.settings import Settings

HEAD = """# Settings

Every key of `Pulumi.<stack>.yaml`. All are under `slipway:`; set one with
`pulumi config set --path 'slipway:serving.instances.max' 4`, or edit the file:

```yaml
config:
  aws:region: eu-west-1
  slipway:owner: your-team
  slipway:preset: prod
  slipway:serving:
    instances: {max: 8}
```

A wrong or unknown key stops `pulumi preview` and `pulumi up` before anything is done; every error is told at once.
This page is generated: `python -m infra.settings_page > docs/settings.md`.
"""
PRESETS_HEAD = """## Presets

`slipway:preset` sets these first; the stack's own keys override them one by one. An empty cell is the default above.
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [HEAD, *_section("", Settings), PRESETS_HEAD, _presets()]
    return "\n".join(parts)


def _section(path: str, section: type[BaseModel]) -> Iterator[str]:
    title = f"`{path}`" if path else "The stack"
    rows = ["| key | default | allowed | what it is |", "| --- | --- | --- | --- |"]
    inner = []
    for name, field in section.model_fields.items():
        key = field.alias or name
        below = section_of(field.annotation)
        full = f"{path}.{key}" if path else key
        default = _default(field, below is not None)
        allowed = "the section below" if below else _allowed(field)
        rows.append(f"| `{key}` | {default} | {allowed} | {_escaped(field.description or '')} |")
        if below:
            inner.append((full + ("[]" if "tuple" in str(field.annotation) else ""), below))
    text = (section.__doc__ or "").strip().split("\n\n")[0] if path else ""
    yield "\n".join([f"## {title}", "", *([text, ""] if text else []), *rows, ""])
    for full, below in inner:
        yield from _section(full, below)


def _default(field: FieldInfo, section: bool) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    if value is None or value is PydanticUndefined:
        return "none"
    if value in ((), {}):
        return "empty"
    if isinstance(value, tuple):
        return f"`[{', '.join(str(one) for one in value)}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(field: FieldInfo) -> str:
    limits = [*field.metadata, *_inner_limits(field.annotation)]
    lowest = [f"> {one.gt}" if isinstance(one, Gt) else f">= {one.ge}" for one in limits if isinstance(one, (Gt, Ge))]
    highest = [f"<= {one.le}" for one in limits if isinstance(one, Le)]
    return ", ".join([_kind(field.annotation), *lowest, *highest])


def _inner_limits(annotation: Any) -> list[Any]:
    return [one for inner in typing.get_args(annotation) for one in getattr(inner, "metadata", ()) if one is not inner]


def _kind(annotation: Any) -> str:
    """The type in a reader's words: `text`, `number`, `dev, prod or pull_request`."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is typing.Annotated:
        return _kind(inner[0])
    if origin is dict:
        return f"a map of name to {_kind(inner[1])}"
    if origin is tuple:
        ends = inner[-1] is not Ellipsis
        return f"[{', '.join(_kind(one) for one in inner)}]" if ends else f"a list of {_kind(inner[0])}"
    if inner:
        return " or ".join(_kind(one) for one in inner if one is not type(None))
    return {str: "text", int: "whole number", float: "number", Decimal: "number", bool: "`true`, `false`"}[annotation]


def _presets() -> str:
    trees = {name: dict(_leaves(preset())) for name, preset in PRESETS.items()}
    keys = sorted({key for tree in trees.values() for key in tree})
    rows = [f"| key | {' | '.join(trees)} |", "| --- " * (len(trees) + 1) + "|"]
    for key in keys:
        cells = [f"`{str(tree[key]).lower()}`" if key in tree else "" for tree in trees.values()]
        rows.append(f"| `{key}` | {' | '.join(cells)} |")
    described = [f"- `{name}`: {(preset.__doc__ or '').strip()}" for name, preset in PRESETS.items()]
    return "\n".join([*described, "", *rows])


def _leaves(tree: Tree, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _escaped(text: str) -> str:
    return re.sub(r"\|", r"\\|", text)


if __name__ == "__main__":
    print(page())
