"""Create, read, update and delete, the same for every row of the table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import jmespath  # type: ignore[import-untyped]

from localaws.pulumi_provider import convert, tags, waiters
from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.bind import bind, operation_input
from localaws.pulumi_provider.diff import DEFAULTS, changes
from localaws.pulumi_provider.schema import Properties, ResourceType, Step
from localaws.pulumi_provider.values import UNKNOWN


class PartlyCreatedError(Exception):
    """The resource exists in AWS but could not be completed; the engine must record it all the same."""

    def __init__(self, resource_id: str, state: Properties, inputs: Properties, reason: str) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.state = state
        self.inputs = inputs  # what has been done, so that the next update does the rest


def create(context: Context, inputs: Properties) -> tuple[str, Properties]:
    """Makes the resource. Returns id and state. Raises CallError, or PartlyCreatedError once something exists."""
    row = context.row
    params = convert.request(row, inputs)
    tags.into_request(row, params, inputs.get("tags") or {})
    if row.hooks.prepare:
        row.hooks.prepare(context, inputs, params)
    answer = waiters.retry(context, row.lagging, lambda: context.call(row.create, params))
    assigned = {name: jmespath.search(path, answer) for name, path in row.created.items()}
    known = {**inputs, **assigned}
    if row.hooks.after_create:
        row.hooks.after_create(context, known)
    try:
        return _complete_creation(context, inputs, known)
    except (CallError, waiters.WaitError) as error:
        done = _without_late(row, inputs)
        partial_id = "/".join(str(known[name]) for name in row.key.values())
        raise PartlyCreatedError(partial_id, {**_visible(done), **assigned}, done, str(error)) from error


def _complete_creation(context: Context, inputs: Properties, known: Properties) -> tuple[str, Properties]:
    """What the create operation could not do itself, and the first look at the result."""
    row = context.row
    if row.hooks.complete:
        row.hooks.complete(context, known)
    for step in row.steps:
        if step.on_create and any(inputs.get(name) not in (None, row.inputs[name].initial) for name in step.properties):
            _run_step(context, step, known)
    if row.tags and row.tags.create is None and inputs.get("tags"):
        tags.change(context, _required_state(context, known), {}, inputs["tags"])
    state = _as_written(row, _required_state(context, known), inputs)
    return row.id.format(**state), state


def read(context: Context, properties: Properties) -> Properties | None:
    """The state that AWS reports for the resource with these key properties; None if it does not exist."""
    row = context.row
    try:
        result = context.call(row.read.operation, _key(row, row.read.key, properties))
        found = jmespath.search(row.read.result.format(**properties), result)
        if found is None:
            return None
        return _state(context, properties, {**found, **_looks(context, {**found, **properties})})
    except CallError as error:
        if error.matches(row.gone):
            return None
        raise


def update(context: Context, old_inputs: Properties, old_state: Properties, new: Properties) -> Properties:
    """Applies the differences between the inputs in place. Returns the new state. Raises CallError."""
    row = context.row
    now = {**{name: value for name, value in old_state.items() if name not in row.inputs}, **new}
    changed = {change.property for change in changes(row, old_inputs, new)}
    sent = {name for name in changed & row.inputs.keys() if not row.inputs[name].local or row.inputs[name].uploaded}
    if sent and row.upsert:
        params = convert.request(row, new)
        if row.hooks.prepare:
            row.hooks.prepare(context, new, params)
        context.call(row.create, params)
    for step in row.steps:
        if sent.intersection(step.properties) and not row.upsert:
            _run_step(context, step, now)
    if "tags" in changed:
        tags.change(context, _required_state(context, now), old_inputs.get("tags") or {}, new.get("tags") or {})
    if changed and row.hooks.after_update:
        row.hooks.after_update(context, now)
    return _as_written(row, _required_state(context, now), new)


def delete(context: Context, state: Properties) -> None:
    """Deletes the resource; one that is gone already is fine. Raises CallError."""
    row = context.row
    try:
        if row.hooks.before_delete:
            row.hooks.before_delete(context, state)
        if row.delete:
            key = _key(row, None, state)
            operation = row.delete
            waiters.retry(context, row.busy, lambda: context.call(operation, key))
        if row.hooks.after_delete:
            row.hooks.after_delete(context, state)
    except CallError as error:
        if not error.matches(row.gone):
            raise


def preview_create(row: ResourceType, inputs: Properties) -> Properties:
    """The state that a create will lead to, as far as it is known."""
    return {**dict.fromkeys([*row.outputs, *row.derived], UNKNOWN), **_visible(inputs), **_all_tags(row, inputs)}


def preview_update(row: ResourceType, old_state: Properties, new: Properties, changed: Iterable[str]) -> Properties:
    """The state that an update will lead to: outputs stay, except those that a change of content moves."""
    moved = any(row.inputs[name].uploaded or not row.inputs[name].local for name in changed if name in row.inputs)
    kept = {name: value for name, value in old_state.items() if name in row.outputs or name in row.derived}
    unknown = dict.fromkeys(row.volatile, UNKNOWN) if moved else {}
    return {**kept, **_visible(new), **_all_tags(row, new), **unknown}


def key_of(row: ResourceType, resource_id: str, properties: Properties) -> Properties:
    """Key properties, from the state where there is one, else from an id given to `import`. Raises ValueError."""
    if all(name in properties for name in row.key.values()):
        return properties
    match = re.fullmatch(row.import_id, resource_id)
    if match is None:
        raise ValueError(f"{resource_id!r} is no import id of {row.token}; it must match {row.import_id}")
    return {**properties, **match.groupdict()}


def _looks(context: Context, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the row's further read operations tell, by the member that the row gives them."""
    found: dict[str, Any] = {}
    for look in context.row.read.looks:
        try:
            found[look.into] = context.call(look.operation, look.request(known))
        except CallError as error:
            if not error.matches(look.none):
                raise
    return found


def _as_written(row: ResourceType, state: Properties, inputs: Properties) -> Properties:
    """The state with the program's own spelling of its inputs, except where the real provider shows AWS'."""
    reported = {name for name, spec in row.inputs.items() if spec.reported and name in state}
    return {**state, **{name: value for name, value in _visible(inputs).items() if name not in reported}}


def _state(context: Context, properties: Properties, found: Mapping[str, Any]) -> Properties:
    row = context.row
    state: Properties = {name: properties[name] for name in row.key.values()}
    for name, bound in bind(row).items():
        path = row.inputs[name].read or bound.api
        value = convert.from_api(bound.node, jmespath.search(path, found)) if path else None
        if value is not None:
            state[name] = value
    state |= {name: jmespath.search(path, found) for name, path in row.outputs.items()}
    if row.regional:
        state["region"] = context.region
    state |= {name: text.format(**state) for name, text in row.derived.items()}
    if row.hooks.after_read:
        row.hooks.after_read(context, state, found)
    if row.tags:
        state["tags"] = tags.read(context, {**properties, **state}, found)
        state["tagsAll"] = state["tags"]
    return {name: value for name, value in state.items() if value is not None}


def _required_state(context: Context, properties: Properties) -> Properties:
    state = read(context, properties)
    if state is None:
        raise CallError(context.row.read.operation, "NotFound", "the resource is not there right after it was written")
    return state


def _without_late(row: ResourceType, inputs: Properties) -> Properties:
    """The inputs that the create operation itself has set."""
    late = {name for step in row.steps if step.on_create for name in step.properties}
    late |= {"tags"} if row.tags and row.tags.create is None else set()
    return {name: value for name, value in inputs.items() if name not in late}


def _visible(inputs: Properties) -> Properties:
    return {name: value for name, value in inputs.items() if name != DEFAULTS}


def _all_tags(row: ResourceType, inputs: Properties) -> Properties:
    return {"tagsAll": inputs.get("tags") or {}} if row.tags else {}


def _key(row: ResourceType, key: Mapping[str, str] | None, properties: Properties) -> dict[str, Any]:
    """Request members that identify the resource: the operation's own, else the row's."""
    return {
        member: [properties[name]] if member in row.list_keys else properties[name]
        for member, name in (row.key if key is None else key).items()
    }


def _run_step(context: Context, step: Step, properties: Properties) -> None:
    """Sends all properties of an update step; a removed one is sent as the row's `cleared`."""
    row = context.row
    if step.act:
        step.act(context, properties)
        return
    key = _key(row, step.key, properties)
    if step.remove and all(properties.get(name) is None for name in step.properties):
        context.call(step.remove, key)
        return
    params: dict[str, Any] = {**key, **step.constants}
    for name in step.properties:
        bound = bind(row)[name]
        value = properties.get(name)
        path = step.params.get(name, bound.api)
        if convert.is_set(bound.node, value):
            convert.put(params, path, convert.to_api(bound.node, value))
        elif row.inputs[name].cleared is not None:
            convert.put(params, path, row.inputs[name].cleared)
    context.call(step.operation, convert.prune(operation_input(row, step.operation), params))
