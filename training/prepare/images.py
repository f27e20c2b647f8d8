"""Images in folders and archives, one folder for each class."""

import re
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.data.channel import format_of
from training.data.pixels import image_schema
from training.errors import DataError
from training.prepare.containers import Container
from training.prepare.decode import Decoded, DecodeError, note, pixels
from training.prepare.layout import Place, places
from training.prepare.options import PrepareOptions
from training.prepare.reader import NO_LABEL, TOO_SMALL, UNREADABLE, Seen, Stored, digest
from training.prepare.threads import ordered_map

PIXEL_MAXIMUM = 255.0
SHOWN_SIZES = 3


class _Item(NamedTuple):
    number: int
    name: str
    place: Place | None
    """None: no image, by its name."""
    content: bytes | str
    """A sentence where it cannot be read."""


class Images:
    """All files of the containers, as rows."""

    def __init__(self, containers: Sequence[Container], options: PrepareOptions, workers: int) -> None:
        self._containers = containers
        self._options = options
        self._workers = workers
        self._labelled = not options.task.endswith("generation")
        self._group = _compile(options.group)
        self._names = [f"{container.label}/{name}" for container in containers for name in container.names()]
        self._heights, self._widths, self._colour = array("i"), array("i"), array("b")
        self._shape: tuple[int, ...] = ()

    def scan(self) -> Iterator[Seen]:
        """Decode every image once, for its size and the digest of its pixels."""
        for seen, noted in ordered_map(self._see, self._items(), self._workers):
            self._heights.append(noted.height)
            self._widths.append(noted.width)
            self._colour.append(not noted.grey)
            yield seen

    def name(self, number: int) -> str:
        """source/class/file"""
        return self._names[number]

    def settle(self, kept: NDArray[np.bool_], train: NDArray[np.bool_]) -> Stored:
        """uint8 images; raises DataError where they have several sizes and none was asked for."""
        size, channels = self._options.image_size, self._options.channels
        sides = (size, size) if size else self._only_size(kept)
        colour = channels == 3 or (not channels and bool(np.frombuffer(self._colour, np.int8)[kept].any()))
        self._shape = (*sides, 3) if colour else sides
        return Stored(input=image_schema(self._shape, PIXEL_MAXIMUM), dtype="uint8")

    def read(self, kept: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """The second pass, one image at a time."""
        items = (item for item in self._items() if kept[item.number])
        for number, image in ordered_map(self._decode, items, self._workers):
            yield np.array([number]), image[np.newaxis]

    def _items(self) -> Iterator[_Item]:
        number = 0
        for container in self._containers:
            names = container.names()
            images = [name for name in names if format_of(name) == "images"]
            place = dict(zip(images, places(images, labelled=self._labelled), strict=True))
            for name, content in container.files():
                yield _Item(number, name, place.get(name), content)
                number += 1

    def _see(self, item: _Item) -> tuple[Seen, Decoded]:
        nothing = Decoded(b"", 0, 0, True)
        if item.place is None:
            return Seen(problem=UNREADABLE, detail="no image, by its name"), nothing
        label, part = item.place
        if self._labelled and not label:
            return Seen(problem=NO_LABEL, detail="in no folder of a class"), nothing
        try:
            noted = note(_bytes(item.content), self._options.image_size, self._options.channels)
        except DecodeError as error:
            return Seen(label=label, problem=UNREADABLE, detail=str(error)), nothing
        if min(noted.height, noted.width) < self._options.minimum_side:
            return Seen(label=label, problem=TOO_SMALL, detail=f"{noted.width}x{noted.height} pixels"), nothing
        return Seen(content=noted.content, label=label, part=part, group=self._group_of(item.name)), noted

    def _group_of(self, name: str) -> bytes:
        if self._group is None:
            return b""
        found = self._group.search(name)
        if found is None:
            raise DataError(f"--group {self._group.pattern!r} is not found in {name!r}; every file needs a group")
        return digest((found.group(1) if self._group.groups else found.group()) or "")

    def _decode(self, item: _Item) -> tuple[int, NDArray[np.uint8]]:
        try:
            return item.number, pixels(_bytes(item.content), self._shape)
        except DecodeError as error:
            raise DataError(
                f"{self._names[item.number]} changed while it was prepared ({error}); start again"
            ) from error

    def _only_size(self, kept: NDArray[np.bool_]) -> tuple[int, int]:
        sizes = np.stack([np.frombuffer(sides, np.int32)[kept] for sides in (self._heights, self._widths)], axis=1)
        different = np.unique(sizes, axis=0).tolist()
        if len(different) > 1:
            shown = ", ".join(f"{width}x{height}" for height, width in different[:SHOWN_SIZES])
            raise DataError(
                f"the images have {len(different)} sizes ({shown}{', ...' if len(different) > SHOWN_SIZES else ''}); "
                "set image_size (--image-size), and all are scaled to that height and width"
            )
        height, width = different[0]
        return height, width


def _compile(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise DataError(f"--group is {pattern!r}, which is no regular expression ({error})") from error


def _bytes(content: bytes | str) -> bytes:
    if isinstance(content, str):
        raise DecodeError(content)
    return content
