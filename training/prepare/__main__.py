"""The data step as a program.

    python -m training.prepare photos/ --out prepared/ --task image-classification --image-size 64

Exit codes: 0 done, 1 failed, 2 bad words or data (one sentence on stderr), 143 stopped by a signal.
"""

import json
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from types import FrameType

from training.data.manifest import PreparedManifest
from training.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_STOPPED, DataError
from training.prepare.command import Command, parse
from training.prepare.pipeline import Plan, plan
from training.prepare.progress import progress
from training.prepare.store import check_out, replacing, store


def main(words: Sequence[str]) -> int:
    """Prepare a data set; returns the exit code."""
    try:
        command = parse(words)
        check_out(command.out, command.sources, overwrite=command.overwrite)
        shown = progress()
        planned = plan(command.sources, command.options, command.workers, shown)
        with replacing(command.out) as folder:
            manifest = store(planned, command.options, folder, shown)
        print(_summary(command, planned, manifest))
    except DataError as error:
        print(f"prepare: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("prepare: stopped; nothing was written", file=sys.stderr)
        return EXIT_STOPPED
    return EXIT_DONE


def _summary(command: Command, planned: Plan, manifest: PreparedManifest) -> str:
    shards = [shard for part in manifest.parts.values() for shard in part]
    if command.json:
        facts = {"id": manifest.id, "shards": len(shards), "size_bytes": sum(shard.size_bytes for shard in shards)}
        return json.dumps({**facts, **planned.report.as_document()}, indent=1, ensure_ascii=False)
    size = sum(shard.size_bytes for shard in shards) / 2**20
    return f"{planned.report.table()}\n\n{command.out}: {len(shards)} shards, {size:.1f} MiB, id {manifest.id[:12]}"


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no Unicode
    sys.exit(main(sys.argv[1:]))
