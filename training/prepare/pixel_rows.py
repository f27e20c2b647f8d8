"""Images as numbers in CSV files without a header (the digits). A file is read whole: its format bounds its size."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.pixels import Pixels, image_schema, read_pixels
from training.errors import DataError
from training.prepare.options import PrepareOptions
from training.prepare.reader import Seen, Stored, digest
from training.prepare.row_files import RowNames, RowSource

CHUNK_ROWS = 4096


class PixelRows:
    """All rows of the files; images of one size."""

    def __init__(self, sources: Sequence[RowSource], options: PrepareOptions) -> None:
        if options.group:
            raise DataError(f"--group is {options.group!r}, but rows of pixels have neither names nor other columns")
        self._sources = sources
        self._options = options
        self._labelled = not options.task.endswith("generation")
        self._names = RowNames(sources=sources)
        self._side = 0
        self._maximum = 0.0
        self._dtype = np.dtype("uint8")

    def scan(self) -> Iterator[Seen]:
        """Read every file for the digests of its rows."""
        number = 0
        for source in self._sources:
            self._names.begin(number)
            pixels = self._read(source)
            for image, target in zip(pixels.images, pixels.targets, strict=True):
                label = pixels.labels[target] if pixels.labels else ""
                yield Seen(content=digest(image.astype(np.float32).tobytes()), label=label, part=source.part)
            number += len(pixels.targets)

    def name(self, number: int) -> str:
        """file row n"""
        return self._names.name(number)

    def settle(self, kept: NDArray[np.bool_], train: NDArray[np.bool_]) -> Stored:
        """uint8 where all values are whole numbers of 0 to 255, float32 otherwise."""
        side = self._options.image_size or self._side
        shape = (side, side, 3) if self._options.channels == 3 else (side, side)
        return Stored(input=image_schema(shape, self._maximum), dtype=self._dtype.name)

    def read(self, kept: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.generic]]]:
        """The second pass."""
        first = 0
        for source in self._sources:
            images = self._read(source).images
            wanted = np.flatnonzero(kept[first : first + len(images)])
            for start in range(0, len(wanted), CHUNK_ROWS):
                rows = wanted[start : start + CHUNK_ROWS]
                yield rows + first, self._sized(images[rows].astype(self._dtype))
            first += len(images)

    def _read(self, source: RowSource) -> Pixels:
        pixels = read_pixels(source.path, labelled=self._labelled)
        side = pixels.images.shape[1]
        if self._side not in (0, side):
            raise DataError(
                f"{source.label} holds images of {side}x{side} pixels, {self._sources[0].label} of "
                f"{self._side}x{self._side}; prepare files of one size"
            )
        self._side = side
        self._maximum = max(self._maximum, pixels.maximum)
        self._dtype = np.promote_types(self._dtype, pixels.images.dtype)
        return pixels

    def _sized(self, images: NDArray[np.generic]) -> NDArray[np.generic]:
        if self._options.image_size in (0, self._side) and self._options.channels != 3:
            return images
        import torch  # costs more than a second, and most data sets keep their size

        from training.data.resize import resize

        sized: NDArray[np.generic] = resize(
            torch.from_numpy(images), self._options.image_size, self._options.channels, self._maximum
        ).numpy()
        return sized
