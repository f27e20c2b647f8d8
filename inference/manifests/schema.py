"""What one instance is: its kind, its shape, and for a table its columns; with the strict reader and the rules.

| kind | shape | what the program takes | what a client sends as JSON |
| --- | --- | --- | --- |
| image | (H, W) grey, (H, W, 3) colour | float32 pixel values | nested lists of numbers |
| text | (max_tokens,) | int64 token ids | a string |
| table | (columns,) | float32 numbers and indexes of categories | {"column": value}, or a list of values |

None of this needs numpy or torch. `python -m inference --check FOLDER` prints an artifact's schema.
"""

import math
from dataclasses import dataclass
from typing import Any

from inference.manifests.fields import Fields
from inference.manifests.table import Column, RowError, read_row

IMAGE, TEXT, TABLE = "image", "text", "table"
DTYPES = {IMAGE: "float32", TEXT: "int64", TABLE: "float32"}
TOKENIZER_NAME = "tokenizer.json"
MAX_SIDE = 65_536
COLOUR_CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class InputSchema:
    """One instance as a client sends it, and as the program gets it; `shape` is without the batch.

    `minimum` and `maximum` are the range of an image's pixel values, `columns` those of a table, one for each place of
    shape[0], and `tokenizer` is the file in the artifact that turns texts into ids.
    """

    kind: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    minimum: float | None = None
    maximum: float | None = None
    columns: tuple[Column, ...] = ()
    tokenizer: str = ""

    @property
    def size(self) -> int:
        """Values in one instance."""
        return math.prod(self.shape)

    @property
    def value_range(self) -> tuple[float, float]:
        """(minimum, maximum) of an image's pixel values; ValueError for the other kinds, which have none."""
        if self.minimum is None or self.maximum is None:
            raise ValueError(f"a schema of kind {self.kind!r} has no range of values; only images have one")
        return self.minimum, self.maximum


def parse_schema(fields: Fields) -> InputSchema:
    """The manifest's `input`; raises ArtifactError on the first broken rule."""
    kind = fields.choice("kind", tuple(DTYPES))
    shape = _shape(fields, kind)
    common: dict[str, Any] = {
        "kind": kind,
        "name": fields.get("name", str),
        "dtype": fields.choice("dtype", (DTYPES[kind],)),
        "shape": shape,
    }
    if kind == IMAGE:
        common |= _range(fields)
    else:
        fields.nothing("minimum", None, f"only images have a range of values, this is a {kind}")
        fields.nothing("maximum", None, f"only images have a range of values, this is a {kind}")
    if kind == TABLE:
        common["columns"] = _columns(fields, shape)
    else:
        fields.nothing("columns", [], f"only tables have columns, this is a {kind}")
    if kind == TEXT:
        common["tokenizer"] = fields.choice("tokenizer", (TOKENIZER_NAME,))
    else:
        fields.nothing("tokenizer", "", f"only texts have a tokenizer, this is a {kind}")
    return InputSchema(**common)


def instance_fault(instance: object, schema: InputSchema) -> str:
    """What is wrong with `instance` as the JSON of one instance; an empty string where it is right."""
    if schema.kind == IMAGE:
        shape = nested_shape(instance)
        return "" if shape == schema.shape else f"shape {shape}; expected shape {schema.shape}"
    if schema.kind == TEXT:
        return "" if isinstance(instance, str) and _is_unicode(instance) else "not a text; expected a string"
    try:
        read_row(instance, schema.columns)
    except RowError as error:
        return str(error)
    return ""


def nested_shape(value: object) -> tuple[int, ...] | None:
    """Shape of nested lists of numbers; None where they are ragged or hold something else."""
    if type(value) in (int, float):
        return ()
    if not isinstance(value, list) or not value:
        return None
    inner = {nested_shape(item) for item in value}
    shape = inner.pop() if len(inner) == 1 else None
    return None if shape is None else (len(value), *shape)


def _shape(fields: Fields, kind: str) -> tuple[int, ...]:
    shape = tuple(fields.items("shape"))
    whole = all(type(side) is int and 1 <= side <= MAX_SIDE for side in shape)
    if kind == IMAGE:
        if not whole or not (len(shape) == 2 or (len(shape) == 3 and shape[2] == COLOUR_CHANNELS)):
            raise fields.wrong(
                "shape", list(shape), f"[height, width] or [height, width, 3], whole numbers from 1 to {MAX_SIDE}"
            )
    elif not whole or len(shape) != 1:
        raise fields.wrong("shape", list(shape), f"one whole number from 1 to {MAX_SIDE}")
    return shape


def _range(fields: Fields) -> dict[str, float]:
    minimum, maximum = fields.number("minimum"), fields.number("maximum")
    if minimum >= maximum:
        raise fields.wrong("minimum", minimum, f"less than maximum ({maximum})")
    return {"minimum": minimum, "maximum": maximum}


def _columns(fields: Fields, shape: tuple[int, ...]) -> tuple[Column, ...]:
    columns = tuple(_column(Fields(f"{fields.path}.columns[]", item)) for item in fields.items("columns"))
    names = [column.name for column in columns]
    if len(columns) != shape[0] or len(set(names)) != len(names):
        raise fields.wrong("columns", names, f"{shape[0]} columns with different names, as `shape` says")
    return columns


def _column(fields: Fields) -> Column:
    name = fields.get("name", str)
    categories = tuple(fields.strings("categories"))
    if len(set(categories)) != len(categories) or "" in categories:
        raise fields.wrong("categories", list(categories), "different strings, none of them empty")
    return Column(name=name, categories=categories)


def _is_unicode(text: str) -> bool:
    """False where JSON's escapes left half a surrogate pair, which no tokenizer takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
