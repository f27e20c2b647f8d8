"""A table's row from JSON: an object {"column": value} or a list of values in the order of the columns.

A number column takes a number, a column of categories a string (or a number or truth value, read as it is written in a
CSV file). null and the empty string are missing values. Missing values and unknown categories become NaN, which the
program imputes; a wrong column's name, or a value of the wrong kind, is an error. The manifest's reader and the
server's decoders both use this.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

SHOWN_NAMES = 20


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: a number, or one of `categories`."""

    name: str
    categories: tuple[str, ...] = ()

    @functools.cached_property
    def places(self) -> dict[str, float]:
        """Category -> its index, which the program gets."""
        return {category: float(place) for place, category in enumerate(self.categories)}


class RowError(ValueError):
    """The row does not fit the columns; the message names the column, the value and what is allowed."""


def read_row(instance: object, columns: Sequence[Column]) -> list[float]:
    """One value a column, NaN where missing or unknown; raises RowError."""
    if isinstance(instance, dict):
        check_names(list(instance), columns)
        return [read_value(instance[column.name], column) for column in columns]
    if not isinstance(instance, list):
        raise RowError(
            f"an instance is {instance!r:.40}; expected an object with the keys {known(columns)}, or a list of values"
        )
    if len(instance) != len(columns):
        raise RowError(f"an instance has {len(instance)} values; expected {len(columns)}: {known(columns)}")
    return [read_value(value, column) for value, column in zip(instance, columns, strict=True)]


def read_value(value: object, column: Column) -> float:
    """A JSON value as a float; raises RowError where it is of the wrong kind."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    if column.categories:
        return column.places.get(_category(value, column), math.nan)
    if type(value) not in (int, float):
        raise RowError(f"column {column.name!r} is {value!r:.40}; expected a number, or null where it is missing")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf


def check_names(names: Sequence[str], columns: Sequence[Column]) -> None:
    """Raise RowError unless `names` are exactly those of `columns`, in any order."""
    wanted = {column.name for column in columns}
    unknown = [name for name in names if name not in wanted]
    missing = wanted.difference(names)
    if unknown:
        raise RowError(f"there is no column {unknown[0]!r:.80}; the columns are {known(columns)}")
    if missing:
        raise RowError(
            f"column {min(missing)!r} is not given; the columns are {known(columns)}; a missing value is null"
        )
    if len(names) != len(wanted):
        raise RowError(f"a column is named twice in {list(names)!r:.200}; the columns are {known(columns)}")


def _category(value: object, column: Column) -> str:
    """The name of a category as the training data spells it: without blanks around it, 1 for 1.0, true for True."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    raise RowError(f"column {column.name!r} is {value!r:.40}; expected a string, or null where it is missing")


def known(columns: Sequence[Column]) -> str:
    """The columns' names for a message, shortened where there are many."""
    names = ", ".join(column.name for column in columns[:SHOWN_NAMES])
    return names if len(columns) <= SHOWN_NAMES else f"{names} ... ({len(columns)} in all)"
