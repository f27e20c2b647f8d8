"""Property values between the engine's wire form (protobuf Struct) and plain Python.

Numbers without a fraction become int; unknown values become UNKNOWN; secrets are opened (the engine marks the outputs
of secret inputs again, because this provider says that it does not take secrets); assets and archives stay dictionaries
with the engine's signature, so that their content hash survives, which is what diffs of uploaded files need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import struct_pb2  # type: ignore[import-untyped]

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# One sentinel per kind of value; the engine sends the string's and accepts any.
UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class Unknown:
    """A value that is known only after other resources exist."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Plain properties of a protobuf Struct; null members are left out."""
    items = ((key, _from_value(value)) for key, value in struct.fields.items())
    return {key: value for key, value in items if value is not None}


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The protobuf Struct of plain properties; None members are left out."""
    return struct_pb2.Struct(fields={key: _to_value(value) for key, value in properties.items() if value is not None})


def _from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value in UNKNOWN_TEXTS else value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _open(from_struct(value.struct_value))
    return None


def _open(members: dict[str, Any]) -> Any:
    """What a signed structure stands for; other structures are returned as they are."""
    signature = members.get(SIGNATURE)
    if signature in (SECRET, OUTPUT):
        return members.get("value", UNKNOWN)
    if signature == RESOURCE:
        return members.get("id", UNKNOWN)
    return members


def _to_value(value: Any) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=UNKNOWN_TEXT)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=to_struct(value))
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_to_value(item) for item in value]))
    raise TypeError(f"a property value of type {type(value).__name__} cannot be sent to the engine: {value!r}")


def is_asset(value: Any) -> bool:
    """Whether the value is the engine's form of an asset or an archive."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) in (ASSET, ARCHIVE)


def has_unknown(value: Any) -> bool:
    """Whether the value is, or holds at any depth, an unknown."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN
