"""Which media type to answer in, by the request's Accept header (RFC 9110, 12.5.1)."""

import functools
from collections.abc import Iterable
from http import HTTPStatus

from inference.http.errors import RequestError


def negotiate(accept: str, offered: Iterable[str]) -> str:
    """The media type out of `offered`: the highest q wins, then the order offered; an empty header takes the first.

    Raises RequestError 406 where nothing fits. Media type parameters other than q are ignored.
    """
    return _choose(accept, tuple(offered)) if accept else next(iter(offered))


@functools.lru_cache(maxsize=1024)  # a client sends the same header with every request
def _choose(accept: str, offered: tuple[str, ...]) -> str:
    if not accept.strip():
        return offered[0]
    ranges = dict(_media_range(part) for part in reversed(accept.split(",")))  # of equal ranges the first counts
    best, best_quality = "", 0.0
    for media in offered:
        quality = _quality(media, ranges)
        if quality > best_quality:
            best, best_quality = media, quality
    if not best:
        raise RequestError(HTTPStatus.NOT_ACCEPTABLE, f"Accept {accept!r:.100} fits none of {', '.join(offered)}")
    return best


def _media_range(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return media, min(max(float(quality), 0.0), 1.0)
    except ValueError:
        return media, 0.0


def _quality(media: str, ranges: dict[str, float]) -> float:
    """The q of the most specific range that covers `media`; 0 where none does."""
    for pattern in (media, f"{media.partition('/')[0]}/*", "*/*"):
        if pattern in ranges:
            return ranges[pattern]
    return 0.0
