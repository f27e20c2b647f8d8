"""`load`: from a channel's folder to a DataSet, by what the files are and what is to be learnt."""

from collections.abc import Callable
from pathlib import Path

from training.data.channel import FORMATS, MANIFEST_NAME, SHARD_SUFFIX, Channel, format_of, look
from training.data.types import DataSet, Host
from training.errors import DataError
from training.options import DataOptions

PREPARE = "python -m training.prepare"
_WANTED = {
    "image": "one CSV of pixels with the label in the last column, folders of images by class, or a prepared data set",
    "text": "CSV, JSONL or Parquet with a column of texts and one of labels, or a prepared data set",
    "tabular": "CSV with a header, JSONL or Parquet, or a prepared data set",
}


def load(channel: Path, options: DataOptions, host: Host) -> DataSet:
    """Read the channel; raises DataError that names the file, what is wrong with it and what to do.

    A prepared data set is only read here as far as it is held in memory: a streamed shard raises when it is read.
    """
    found = look(channel, options, host)
    kind = options.task.partition("-")[0]
    if not found.names:
        raise DataError(f"{found.found}; expected {_WANTED[kind]}; check the S3 prefix of the channel")
    if MANIFEST_NAME in found.names or any(name.endswith(SHARD_SUFFIX) for name in found.names):
        return _prepared(found)
    if host.sharded and host.count > 1:
        raise DataError(
            f"{found.found} on host {host.index + 1} of {host.count}: with ShardedByS3Key no host sees all rows, so "
            f"none can split them; use FullyReplicated, or a data set written by `{PREPARE}`"
        )
    formats = _formats(found)
    source = _SOURCES.get((formats[0], kind)) if len(formats) == 1 else None
    if source is None:
        held = " and ".join(formats)
        raise DataError(f"{found.found}, {held}; expected for {options.task}: {_WANTED[kind]}, and nothing beside it")
    return source(found)


def _formats(channel: Channel) -> list[str]:
    """Other files among images are left to the cleaning, which says what it leaves out."""
    formats = {format_of(name) for name in channel.names}
    if "images" in formats:
        formats -= {form for form in formats if form not in FORMATS.values()}
    return sorted(formats)


def _prepared(channel: Channel) -> DataSet:
    from training.data.prepared import load_prepared

    return load_prepared(channel)


def _pixels(channel: Channel) -> DataSet:
    from training.data.pixels import load_pixels

    return load_pixels(channel)


def _folder(channel: Channel) -> DataSet:
    from training.data.folder import load_folder

    return load_folder(channel)


def _text(channel: Channel) -> DataSet:
    from training.data.text import load_text

    return load_text(channel)


def _table(channel: Channel) -> DataSet:
    from training.data.table import load_table

    return load_table(channel)


_SOURCES: dict[tuple[str, str], Callable[[Channel], DataSet]] = {
    ("CSV", "image"): _pixels,
    ("images", "image"): _folder,
    ("CSV", "text"): _text,
    ("JSONL", "text"): _text,
    ("Parquet", "text"): _text,
    ("CSV", "tabular"): _table,
    ("JSONL", "tabular"): _table,
    ("Parquet", "tabular"): _table,
}
