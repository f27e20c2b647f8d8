"""A plan -> a folder with shards, manifest and report; it appears complete or not at all."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference import artifact
from training.data.channel import MANIFEST_NAME
from training.data.manifest import PreparedManifest, as_document, read_manifest
from training.errors import DataError
from training.prepare.options import PrepareOptions
from training.prepare.pipeline import Plan, fill
from training.prepare.progress import Progress
from training.prepare.report import REPORT_NAME
from training.prepare.shard_writer import ShardWriter


def store(planned: Plan, options: PrepareOptions, folder: Path, progress: Progress) -> PreparedManifest:
    """Write the whole data set into the empty `folder`."""
    described = planned.described(options)
    writer = ShardWriter(folder, described, planned.stored.dtype, planned.targets, options.shard_mb)
    try:
        fill(planned, writer, progress)
        identity, parts = writer.finish()
    finally:
        writer.close()
    files = {}
    if planned.stored.tokenizer is not None:
        planned.stored.tokenizer.save(folder / artifact.TOKENIZER_NAME)
        files[artifact.TOKENIZER_NAME] = artifact.file_record(folder / artifact.TOKENIZER_NAME).sha256
    manifest = PreparedManifest(
        id=identity,
        description=described,
        parts=parts,
        classes=planned.report.classes,
        options=options.as_document(),
        files=files,
    )
    _write_json(folder / REPORT_NAME, planned.report.as_document())
    _write_json(folder / MANIFEST_NAME, as_document(manifest))
    return manifest


def check_out(out: Path, sources: tuple[Path, ...], *, overwrite: bool) -> None:
    """Raise DataError unless `out` may be written: new, empty, or with `overwrite` a prepared data set."""
    target = out.resolve()
    for source in sources:
        if target == source.resolve() or source.resolve() in target.parents:
            raise DataError(f"--out {out} lies in the source {source}; write the data set beside it")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise DataError(f"--out {out} is a file; name a folder")
    if not overwrite:
        raise DataError(f"--out {out} is not empty; name a new folder, or replace a prepared data set with --overwrite")
    foreign = _foreign(out)
    if foreign:
        raise DataError(f"--out {out} holds {foreign}, so --overwrite does not touch it; delete it yourself")


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place at the end; where that is not reached, nothing is left."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        yield fresh
        _exchange(fresh, out, scratch / "old")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _exchange(fresh: Path, out: Path, old: Path) -> None:
    """Move `out`, if there is one, to `old`, and `fresh` in its place; all stays as it was where that fails."""
    if out.exists():
        out.rename(old)
    try:
        fresh.rename(out)
    except BaseException:
        if old.exists():
            old.rename(out)
        raise


def _foreign(out: Path) -> str:
    """A file in `out` that the data step did not write; empty where there is none."""
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir())
    if MANIFEST_NAME not in found:
        return f"no {MANIFEST_NAME}, so it is no prepared data set"
    manifest = read_manifest(out)
    shards = {shard.file for part in manifest.parts.values() for shard in part}
    own = {MANIFEST_NAME, REPORT_NAME, *manifest.files, *shards}
    others = [name for name in found if name not in own]
    return f"{', '.join(others[:3])}, which no data step wrote" if others else ""


def _write_json(path: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_bytes(f"{text}\n".encode(errors="backslashreplace"))  # a file's name may be no Unicode
