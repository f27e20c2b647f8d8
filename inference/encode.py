"""Scores -> response body, by the request's Accept header."""

import io
from collections.abc import Callable
from http import HTTPStatus

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.errors import RequestError

Scores = NDArray[np.float32]
Labels = tuple[str, ...]


def encode_json(scores: Scores, labels: Labels) -> bytes:
    """{"predictions": [{"label", "score", "scores"}]}, one for each instance, scores in the order of the labels."""
    best = scores.argmax(axis=1)
    predictions = [
        {"label": labels[winner], "score": row[winner], "scores": row} for winner, row in zip(best, scores, strict=True)
    ]
    return orjson.dumps({"predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def encode_csv(scores: Scores, labels: Labels) -> bytes:
    """`label,score` a row; a label with a comma, quote or line break is quoted."""
    best = scores.argmax(axis=1)
    rows = [f"{_csv_cell(labels[winner])},{row[winner]!s}\n" for winner, row in zip(best, scores, strict=True)]
    return "".join(rows).encode()


def encode_npy(scores: Scores, labels: Labels) -> bytes:
    """The scores as a .npy file: float32 (N, labels)."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(scores, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


ENCODERS: dict[str, Callable[[Scores, Labels], bytes]] = {
    "application/json": encode_json,
    "text/csv": encode_csv,
    "application/x-npy": encode_npy,
}


def negotiate(accept: str) -> str:
    """The media type to answer in: the highest q wins, then the order of ENCODERS; an empty header means JSON.

    Raises RequestError 406 where nothing fits. Media type parameters other than q are ignored.
    """
    if not accept.strip():
        return "application/json"
    ranges = [_media_range(part) for part in accept.split(",")]
    best, best_quality = "", 0.0
    for media in ENCODERS:
        quality = _quality(media, ranges)
        if quality > best_quality:
            best, best_quality = media, quality
    if not best:
        raise RequestError(HTTPStatus.NOT_ACCEPTABLE, f"Accept {accept!r:.100} fits none of {', '.join(ENCODERS)}")
    return best


def _media_range(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return media, min(max(float(quality), 0.0), 1.0)
    except ValueError:
        return media, 0.0


def _quality(media: str, ranges: list[tuple[str, float]]) -> float:
    """The q of the most specific range that covers `media` (RFC 9110, 12.5.1); 0 where none does."""
    for pattern in (media, f"{media.partition('/')[0]}/*", "*/*"):
        for candidate, quality in ranges:
            if candidate == pattern:
                return quality
    return 0.0


def _csv_cell(text: str) -> str:
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
