"""One rate of the price book, for the region that a stack is in."""

from slipway.prices import book
from slipway.project import Stack

BYTES_PER_GB = 2**30


def rate(stack: Stack, key: str) -> book.Price:
    """Raises PriceMissing, in words."""
    return book.load().price(stack.region, key)
