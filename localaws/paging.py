"""Pages of a listing: a token is the position to go on from."""

from collections.abc import Sequence
from typing import TypeVar

from localaws.errors import validation

T = TypeVar("T")


def page(items: Sequence[T], token: str | None, size: int) -> tuple[list[T], str | None]:
    """The page that `token` names (None for the first) and the token of the next one, if any."""
    if token is not None and not (token.isdigit() and int(token) <= len(items)):
        raise validation(f"Invalid pagination token {token!r}; give the NextToken of the previous answer.")
    begin = int(token or 0)
    end = begin + size
    return list(items[begin:end]), str(end) if end < len(items) else None
