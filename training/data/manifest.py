"""`dataset.json`, the manifest of a prepared data set: what its rows are, and the hash of every file.

    python -m json.tool FOLDER/dataset.json

Written by training.prepare, read by training.data.prepared. Every shard carries the `Description` in its header too:
where S3 shares the objects out among hosts (ShardedByS3Key), only one of them gets this file.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference import artifact
from training.data.channel import MANIFEST_NAME
from training.data.shards import Shard
from training.errors import DataError

FORMAT_VERSION = 1
_PREPARE_AGAIN = "write the data set again with this version's `python -m training.prepare`"


@dataclass(frozen=True, kw_only=True)
class Description:
    """What decides how the rows are read; equal in the manifest and in every shard."""

    task: str
    input: artifact.InputSchema
    labels: tuple[str, ...] = ()
    vocabulary: int = 0
    target: str = ""
    """Table: the column that is predicted."""
    grouped: bool = False
    """Rows of one group (--group) are in one part, so no other part may be cut out of the training part later."""


@dataclass(frozen=True, kw_only=True)
class PreparedManifest:
    """The whole file."""

    id: str
    """sha256 over the description and all rows: equal data sets have equal ids."""
    description: Description
    parts: dict[str, tuple[Shard, ...]]
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    """Part -> class -> rows; empty where there are no classes."""
    options: dict[str, Any] = field(default_factory=dict)
    """What the data step was asked for."""
    files: dict[str, str] = field(default_factory=dict)
    """Other files (tokenizer.json) -> sha256."""
    format_version: int = FORMAT_VERSION


def as_document(manifest: PreparedManifest) -> dict[str, Any]:
    """What is written to dataset.json."""
    document = dataclasses.asdict(manifest)
    for shards in document["parts"].values():
        for shard in shards:
            del shard["whole_file"]
    return document


def read_manifest(folder: Path) -> PreparedManifest:
    """Parse dataset.json; raises DataError for another version, and for anything that the data step did not write."""
    path = folder / MANIFEST_NAME
    try:
        document = json.loads(path.read_bytes())
        _check_version(document, path)
        return PreparedManifest(
            id=str(document["id"]),
            description=parse_description(document["description"]),
            parts={part: tuple(Shard(**shard) for shard in shards) for part, shards in document["parts"].items()},
            classes=document["classes"],
            options=document["options"],
            files=document["files"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read ({error!r:.200}); {_PREPARE_AGAIN}") from error


def parse_description(document: Mapping[str, Any]) -> Description:
    """From decoded JSON; raises KeyError, TypeError or ValueError where it is not a description."""
    schema = dict(document["input"])
    columns = (artifact.Column(name=c["name"], categories=tuple(c["categories"])) for c in schema["columns"])
    return Description(
        **{
            **document,
            "input": artifact.InputSchema(**{**schema, "shape": tuple(schema["shape"]), "columns": tuple(columns)}),
            "labels": tuple(document["labels"]),
        }
    )


def _check_version(document: Mapping[str, Any], path: Path) -> None:
    version = document["format_version"]
    if version != FORMAT_VERSION:
        raise DataError(f"{path} has format_version {version!r}, this program reads {FORMAT_VERSION}; {_PREPARE_AGAIN}")
