"""A prepared data set -> DataSet: parts in memory as long as they are small, streamed from their shards above.

    python -m training.prepare photos/ --out prepared/ --task image-classification --image-size 64

writes one; `prepared/` as it is becomes the channel.
"""

import dataclasses

import numpy as np

from inference import artifact
from training.data.channel import MANIFEST_NAME, PARTS, SHARD_SUFFIX, Channel
from training.data.manifest import Description, PreparedManifest, parse_description, read_manifest
from training.data.memory import MemoryPart
from training.data.parts import split_rows
from training.data.prepared_checks import GENERATION, damage, misfits
from training.data.shards import Shard, read_header
from training.data.streamed import StreamedPart
from training.data.types import DataSet
from training.errors import DataError

MIB = 2**20
Held = MemoryPart | StreamedPart


def load_prepared(channel: Channel) -> DataSet:
    """Check the manifest against the job and the files, and read what is held in memory.

    Raises DataError that lists all that does not fit. Hashes are checked when a shard is first read.
    """
    shared_out = channel.host.sharded and channel.host.count > 1
    manifest = _from_headers(channel) if shared_out else _from_manifest(channel)
    described = manifest.description
    problems = misfits(channel.options, described) + damage(channel, manifest)
    if problems:
        raise DataError(f"{channel.folder}: " + "; ".join(problems))
    train, validation = _held(channel, manifest, "train"), _held(channel, manifest, "validation")
    if not validation.rows and channel.options.validation_fraction > 0:
        train, validation = _cut(channel, train)
    return DataSet(
        task=channel.options.task,
        input=described.input,
        labels=() if channel.options.task == GENERATION else described.labels,
        train=train,
        validation=validation if validation.rows else None,
        test=_held(channel, manifest, "test"),
        sha256=manifest.id,
        tokenizer=_tokenizer(channel, described),
        vocabulary=described.vocabulary,
    )


def _from_manifest(channel: Channel) -> PreparedManifest:
    if MANIFEST_NAME not in channel.names:
        raise DataError(f"{channel.found}, but no {MANIFEST_NAME}; copy the data set's whole folder")
    return read_manifest(channel.folder)


def _from_headers(channel: Channel) -> PreparedManifest:
    """What this host's own shards say: the manifest may lie on another host."""
    parts: dict[str, list[Shard]] = {part: [] for part in PARTS}
    described: dict[str, Description] = {}
    for name in channel.names:
        if name.endswith(SHARD_SUFFIX):
            header = read_header(channel.path(name))
            described[header["id"]] = parse_description(header["description"])
            size, sha256 = channel.path(name).stat().st_size, header["payload_sha256"]
            shard = Shard(file=name, rows=header["rows"], size_bytes=size, sha256=sha256, whole_file=False)
            parts[header["part"]].append(shard)
    if len(described) > 1:
        raise DataError(f"{channel.folder} holds shards of {len(described)} data sets; leave only one of them there")
    if not parts["train"]:
        raise DataError(
            f"{channel.found}: host {channel.host.index + 1} of {channel.host.count} got no shard to train on; "
            "use fewer hosts, FullyReplicated, or more shards (`python -m training.prepare` with a smaller --shard-mb)"
        )
    (identity, description), *_ = described.items()
    return PreparedManifest(
        id=identity, description=description, parts={part: tuple(shards) for part, shards in parts.items()}
    )


def _held(channel: Channel, manifest: PreparedManifest, name: str) -> Held:
    """The part in memory up to stream_above_mb, else streamed."""
    part = StreamedPart(
        folder=channel.folder,
        shards=manifest.parts.get(name, ()),
        shape=manifest.description.input.shape,
        without_targets=channel.options.task == GENERATION,
    )
    size = sum(shard.size_bytes for shard in part.shards)
    if not part.shards or size > channel.options.stream_above_mb * MIB:
        return part
    inputs, targets = part.read_all()
    return MemoryPart(inputs=inputs, targets=targets)


def _cut(channel: Channel, train: Held) -> tuple[Held, Held]:
    """Hold validation_fraction out of the training part: of a streamed one, its last whole shards.

    The data step put the rows into the shards in random order, so any shards are a random sample.
    """
    fraction = channel.options.validation_fraction
    if isinstance(train, StreamedPart):
        count = max(1, round(fraction * len(train.shards)))
        if count == len(train.shards):
            raise DataError(
                f"{channel.folder}: the training part is one shard, which cannot be streamed and cut for validation; "
                "raise stream_above_mb, or prepare it with --validation-fraction"
            )
        return (
            dataclasses.replace(train, shards=train.shards[:-count]),
            dataclasses.replace(train, shards=train.shards[-count:]),
        )
    classes = train.targets.numpy() if channel.options.task.endswith("classification") else None
    given = {"train": np.arange(train.rows), "test": np.arange(0)}
    rows = split_rows(classes, train.rows, channel.options, given)
    kept, held_out = (
        MemoryPart(inputs=train.inputs[rows[part]], targets=train.targets[rows[part]])
        for part in ("train", "validation")
    )
    return kept, held_out


def _tokenizer(channel: Channel, described: Description) -> artifact.Tokenizer | None:
    if not described.input.tokenizer:
        return None
    path = channel.path(described.input.tokenizer)
    if not path.is_file():
        raise DataError(
            f"{path} is missing: every host needs the tokenizer of a data set of texts; copy the data set's whole "
            "folder, and use FullyReplicated for its channel"
        )
    try:
        return artifact.Tokenizer.load(path)
    except artifact.ArtifactError as error:
        raise DataError(str(error)) from error
