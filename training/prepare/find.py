"""From the SOURCE paths to the one reader that can read them all."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from training.data.channel import file_parts, format_of
from training.errors import DataError
from training.prepare.containers import Container, is_archive, is_visible, open_container
from training.prepare.images import Images
from training.prepare.options import PrepareOptions
from training.prepare.pixel_rows import PixelRows
from training.prepare.reader import Reader
from training.prepare.row_files import RowSource

_WANTED = {
    "image": "folders or archives of images by class, or CSV files of pixels",
    "text": "CSV, JSONL or Parquet files with a column of texts and one of labels",
    "tabular": "CSV, JSONL or Parquet files with named columns",
}


class _File(NamedTuple):
    source: Path
    name: str
    """Within the source; the source's own name where that is the file."""

    @property
    def path(self) -> Path:
        return self.source / self.name if self.source.is_dir() else self.source

    @property
    def label(self) -> str:
        """For the report: without the folder that the source is in."""
        return f"{self.source.resolve().name}/{self.name}" if self.source.is_dir() else self.name


def open_sources(sources: Sequence[Path], options: PrepareOptions, workers: int) -> Reader:
    """Look at all sources; raises DataError that lists every one that cannot be used."""
    kind = options.task.partition("-")[0]
    problems: list[str] = []
    containers: list[Path] = []
    files: list[_File] = []
    for source in sources:
        if not source.exists():
            problems.append(f"{source} does not exist")
        elif kind == "image" and _holds_images(source):
            containers.append(source)
        else:
            found = _files(source)
            problems += _unusable(source, found, ("CSV",) if kind == "image" else ("CSV", "JSONL", "Parquet"))
            files += found
    if containers and files:
        problems.append("some sources are images and some are files of rows; prepare one kind at a time")
    if problems:
        raise DataError(f"{'; '.join(problems)}; expected for {options.task}: {_WANTED[kind]}")
    if containers:
        opened: list[Container] = [open_container(path) for path in containers]
        return Images(opened, options, workers)
    return _rows(files, options, kind)


def _holds_images(source: Path) -> bool:
    """An archive, or a folder with at least one image."""
    return is_archive(source) if source.is_file() else any(format_of(file.name) == "images" for file in _files(source))


def _files(source: Path) -> list[_File]:
    """The visible files of a folder, sorted by name, or the one file."""
    if source.is_file():
        return [_File(source, source.name)]
    names = (path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    return [_File(source, name) for name in sorted(names) if is_visible(name)]


def _unusable(source: Path, files: Sequence[_File], formats: Sequence[str]) -> list[str]:
    odd = [file.name for file in files if format_of(file.name) not in formats]
    if odd:
        return [f"{source} holds {', '.join(odd[:3])}{', ...' if len(odd) > 3 else ''}"]
    return [] if files else [f"{source} holds no file"]


def _rows(files: Sequence[_File], options: PrepareOptions, kind: str) -> Reader:
    parts = file_parts([file.name for file in files], "the sources")
    sources = [RowSource(path=file.path, label=file.label, part=part) for file, part in zip(files, parts, strict=True)]
    if kind == "image":
        return PixelRows(sources, options)
    if kind == "text":
        from training.prepare.texts import Texts

        return Texts(sources, options)
    from training.prepare.tables import Tables

    return Tables(sources, options)
