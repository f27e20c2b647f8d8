"""What one row of the resource table says.

A row describes how a pulumi-aws resource type maps onto AWS operations: names, required and replacing inputs, computed
outputs, tags. Everything else (conversion, checks, diffs, the calls) is the same code for all rows. See `table/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localaws.pulumi_provider.aws import Context

Properties = dict[str, Any]
"""Pulumi properties by camelCase name; values are plain Python, UNKNOWN, or an asset's dictionary."""


Prepare = Callable[["Context", Properties, dict[str, Any]], None]
AfterRead = Callable[["Context", Properties, Mapping[str, Any]], None]
Act = Callable[["Context", Properties], None]


class Form(Enum):
    """How a property's value differs in form from the API's."""

    SAME = "same"
    LIST_OF_ONE = "Pulumi has a list of at most one, the API one structure"
    ONE_OF_LIST = "Pulumi has one object, the API a list"
    JSON = "a JSON document, sent as text and compared by meaning"
    PAIRS = "Pulumi has a map, the API a list of structures of a key and a value"
    LIFTED = "a structure of the API whose members Pulumi has one level higher"
    NUMBER_TEXT = "a whole number, which the API has as text"
    BOOLEAN_TEXT = "true or false, which the API has as text"
    KEY = "a KMS key by id or ARN, compared by the id"
    URL = "an address, compared without its https://"
    AMOUNT = "a decimal number as text, compared by its value"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A property whose API name or form does not follow from its own name."""

    api: str | None = None  # member name; for a top-level input a dotted path into the request
    form: Form = Form.SAME
    default: Any = None  # of an input: filled in by Check; of a nested member: sent when it is left out


@dataclass(frozen=True, kw_only=True)
class Input(Member):
    """A top-level input property."""

    read: str | None = None  # JMESPath into the read result; None: the same path as in the request
    required: bool = False
    replaces: bool = False
    updatable: tuple[str, ...] = ()  # members that update in place although the property replaces
    local: bool = False  # kept in the state, no member of a request
    kind: str | None = None  # scalar type of an input that no operation takes as it is: code of the row sends it
    initial: Any = None  # what a new resource has anyway: not set again right after creation
    reported: bool = False  # the state has AWS' form of it, not the program's
    uploaded: bool = False  # a local input that a hook sends: its change runs the create operation again
    pattern: str | None = None  # a rule that the API model does not carry
    limits: tuple[int, int] | None = None  # smallest and largest value of an input with a `kind`
    cleared: Any = None  # what an update sends once the property is gone; None: nothing


@dataclass(frozen=True, kw_only=True)
class AutoName:
    """Which property gets a generated name, and the limits of that name."""

    property: str = "name"
    prefix_property: str | None = None
    limit: int  # characters
    lower: bool = False
    random: bool = True  # False: the logical name itself
    start: str = ""  # what AWS wants every such name to begin with


@dataclass(frozen=True, kw_only=True)
class Look:
    """One more read operation; its answer becomes a member of the read result."""

    operation: str
    into: str
    request: Callable[[Mapping[str, Any]], dict[str, Any]]  # from the first answer's members and the known properties
    none: tuple[str, ...] = ()  # errors that mean "not set"


@dataclass(frozen=True, kw_only=True)
class Read:
    """How to read a resource: operation and where its answer holds the resource (JMESPath, `{property}` filled in)."""

    operation: str
    result: str = "@"
    key: Mapping[str, str] | None = None  # request member -> property, where the row's key does not fit
    looks: tuple[Look, ...] = ()  # for what the operation does not tell


@dataclass(frozen=True, kw_only=True)
class Step:
    """One update operation: runs when one of its properties changed, and sends all of them."""

    operation: str
    properties: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict)  # property -> request path, where create's differs
    remove: str | None = None  # operation to call instead once none of the properties is set
    on_create: bool = False  # the create operation cannot set these properties, so run after it too
    constants: Mapping[str, Any] = field(default_factory=dict)  # request members that are always the same
    act: Act | None = None  # code that sends the properties instead
    key: Mapping[str, str] | None = None  # request member -> property, where the row's key does not fit


@dataclass(frozen=True, kw_only=True)
class TagStyle:
    """How a service writes, removes and lists tags."""

    key: Mapping[str, str]  # request member -> property that identifies the resource
    create: str | None  # request path in the create operation; None: tags are added after it
    add: str
    add_member: str = "Tags"
    remove: str | None
    remove_member: str | None = "TagKeys"  # None: `remove` takes away the whole set
    remove_pairs: bool = False  # `remove` takes structures with a key, not keys
    whole: bool = False  # `add` replaces the whole set
    pairs: tuple[str, str] | None = ("Key", "Value")  # None: a plain map
    resource_type: str | None = None  # EC2's name of the type: its create operations take tags by type
    list: str | None = None  # operation; None: the tags are part of the read result
    result: str = "Tags"  # JMESPath
    none: tuple[str, ...] = ()  # error codes of `list` that mean "no tags"


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Code of a row, for what a table cannot say."""

    prepare: Prepare | None = None  # (context, properties, request): complete a create request
    after_create: Act | None = None  # a failure leaves nothing in the state
    complete: Act | None = None  # the same, but a failure leaves a partly created resource in the state
    after_update: Act | None = None
    after_read: AfterRead | None = None  # (context, state, read result): complete the state
    before_delete: Act | None = None
    after_delete: Act | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ResourceType:
    """One row: a resource type."""

    token: str
    service: str  # botocore's name
    create: str
    read: Read
    delete: str | None  # None: there is nothing to delete in AWS, or a hook does it
    key: Mapping[str, str]  # request member -> property, for read and delete
    id: str  # format string over the properties
    import_id: str  # regular expression whose groups are key properties
    inputs: Mapping[str, Input]
    nested: Mapping[str, Member] = field(default_factory=dict)  # by dotted path without list positions
    created: Mapping[str, str] = field(default_factory=dict)  # key property: JMESPath into create's answer
    outputs: Mapping[str, str] = field(default_factory=dict)  # JMESPath into the read result
    derived: Mapping[str, str] = field(default_factory=dict)  # format strings over properties and outputs
    volatile: tuple[str, ...] = ()  # outputs that an update in place changes
    steps: tuple[Step, ...] = ()
    upsert: bool = False  # the create operation is the update operation too
    list_keys: tuple[str, ...] = ()  # request members of the key that are lists
    auto_name: AutoName | None = None
    tags: TagStyle | None = None
    gone: tuple[str, ...]  # error codes, or "Code:part of the message", that mean "does not exist"
    lagging: tuple[str, ...] = ()  # errors of the create operation that mean "what it names is not everywhere yet"
    busy: tuple[str, ...] = ()  # errors of the delete operation that mean "something that is leaving still uses it"
    regional: bool = True
    hooks: Hooks = Hooks()
    refused: tuple[str, ...] = ()  # dotted paths that pulumi-aws has and this provider does not
    absent: tuple[str, ...] = ()  # dotted paths that the API has and pulumi-aws does not

    def names(self) -> list[str]:
        """Every input name that a program may set on this type."""
        common = (["tags"] if self.tags else []) + (["region"] if self.regional else [])
        prefix = [self.auto_name.prefix_property] if self.auto_name and self.auto_name.prefix_property else []
        return [*self.inputs, *common, *prefix]

    def replacing(self) -> list[str]:
        """Names of the inputs whose change makes a new resource."""
        return [name for name, spec in self.inputs.items() if spec.replaces] + (["region"] if self.regional else [])


def each(spec: Input, *names: str) -> dict[str, Input]:
    """The same specification for several inputs."""
    return dict.fromkeys(names, spec)
