"""Delete markers can be deleted from a bucket whose versioning is suspended, where moto fails on them."""

from typing import Any

from moto.s3.models import FakeDeleteMarker


def install() -> None:
    """Put the rule into moto's delete markers. Doing it twice does no harm."""
    FakeDeleteMarker.dispose = _dispose


def _dispose(marker: Any, garbage: bool = False) -> None:
    """A marker holds no data that would have to be let go, unlike a version."""
