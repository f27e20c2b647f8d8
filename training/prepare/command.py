"""The command line of the data step: words -> a Command; made from the options, so that nothing is said twice."""

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from training.errors import DataError
from training.options import TASKS
from training.prepare.options import NOT_PREPARED, PrepareOptions, flag
from training.prepare.threads import WORKERS

_SOURCES = """\
A SOURCE is a folder of images by class (class/..., or train/class/... and test/class/...), a zip or tar archive of such
a folder, or a CSV, JSONL or Parquet file of texts or of a table, or a folder of such files. What is left out, and why,
is printed and lies in FOLDER/report.json.
"""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One call of the program."""

    sources: tuple[Path, ...]
    out: Path
    options: PrepareOptions
    overwrite: bool
    workers: int
    json: bool


class _Parser(argparse.ArgumentParser):
    """argparse's own, but a bad word is an exception, so that every refusal leaves the program in the same way."""

    def error(self, message: str) -> NoReturn:
        raise DataError(f"{message}; see {self.prog} --help")


def parse(words: Sequence[str]) -> Command:
    """Raises DataError for words that are not understood or not allowed; --help ends the program."""
    parser = _parser()
    found = vars(parser.parse_args(words))
    own = {name: found.pop(name) for name in ("sources", "out", "overwrite", "workers", "json")}
    if not own["workers"] >= 1:
        raise DataError(f"--workers is {own['workers']}; allowed is 1 or more")
    given = {name: value for name, value in found.items() if value is not None}
    return Command(**{**own, "sources": tuple(own["sources"])}, options=PrepareOptions(**given))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m training.prepare",
        description="Write a prepared data set: cleaned, divided into parts, in shards with hashes.",
        epilog=_SOURCES,
        allow_abbrev=False,
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the data set is written")
    parser.add_argument("--task", required=True, choices=TASKS)
    for option in dataclasses.fields(PrepareOptions):
        if option.name not in (*NOT_PREPARED, "task"):
            _add(parser, option)
    parser.add_argument("--overwrite", action="store_true", help="replace FOLDER if it is a prepared data set")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"threads that decode images (default {WORKERS})")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _add(parser: argparse.ArgumentParser, option: "dataclasses.Field[Any]") -> None:
    shown = "" if option.default in ("", ()) else f" (default {option.default})"
    kind = _names if option.name == "classes" else option.type
    assert callable(kind)
    parser.add_argument(flag(option.name), type=kind, metavar="VALUE", help=option.metadata["about"] + shown)


def _names(word: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in word.split(",") if name.strip())
