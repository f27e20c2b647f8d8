"""Does a prepared data set fit the job, and is it whole? Every misfit is a sentence; none of this reads a shard."""

from training.data.channel import Channel
from training.data.manifest import Description, PreparedManifest
from training.data.shards import AGAIN
from training.options import DataOptions

GENERATION = "image-generation"


def misfits(options: DataOptions, described: Description) -> list[str]:
    """Where the job asks for something else than was prepared. An option that is 0 or empty, or max_tokens as it is
    by default, asks for nothing."""
    prepared = _prepared(described)
    wanted = {name: getattr(options, name) for name in prepared}
    if options.max_tokens == DataOptions.max_tokens:
        wanted["max_tokens"] = 0
    if options.task == GENERATION and described.input.kind == "image":
        del prepared["task"]  # images do without their labels
    problems = [
        f"{name} is {wanted[name]!r}, but the data set was prepared with {value!r}: change one or the other"
        for name, value in prepared.items()
        if wanted[name] and wanted[name] != value
    ]
    if described.grouped and options.validation_fraction > 0:
        problems.append(
            f"validation_fraction is {options.validation_fraction:g}, but the data set keeps groups together, which a "
            "split made now would not: set it to 0, and prepare the data set with --validation-fraction"
        )
    return problems


def damage(channel: Channel, manifest: PreparedManifest) -> list[str]:
    """Shards that are missing or have another size than the manifest says."""
    problems = []
    for shard in (shard for shards in manifest.parts.values() for shard in shards):
        path = channel.path(shard.file)
        size = path.stat().st_size if path.is_file() else None
        if size != shard.size_bytes:
            found = "is missing" if size is None else f"has {size} bytes, expected {shard.size_bytes}"
            problems.append(f"{shard.file} {found}")
    return [f"{'; '.join(problems)}; {AGAIN}"] if problems else []


def _prepared(described: Description) -> dict[str, object]:
    """The options that a data set was prepared with, by their names in DataOptions."""
    prepared: dict[str, object] = {"task": described.task}
    shape = described.input.shape
    if described.input.kind == "image":
        prepared["image_size"] = shape[0] if shape[0] == shape[1] else f"{shape[1]}x{shape[0]}"
        prepared["channels"] = 1 if len(shape) == 2 else shape[2]
    if described.input.kind == "text":
        prepared["max_tokens"] = shape[0]
    if described.target:
        prepared["target"] = described.target
    return prepared
