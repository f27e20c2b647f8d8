"""`slipway runs --compare A B`: two runs metric by metric, what was set differently, what each cost.

A difference counts only beyond chance: slipway.significance says by which test.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from slipway.errors import USAGE, SlipwayError
from slipway.project import Stack
from slipway.run_output import Document, read_metrics
from slipway.runs import Run, choose, find_runs
from slipway.significance import LEVEL, Verdict, judge, same_test_part

MARKS = {"better": "green", "worse": "red", "within chance": "dim", "unknown": "yellow"}
SHOWN_CHARACTERS = 40  # of a setting


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of both runs; a run that lacks it has None."""

    metric: str
    first: float | None
    second: float | None
    first_interval: tuple[float | None, float | None]
    second_interval: tuple[float | None, float | None]
    difference: float | None
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs; every pair is (first, second)."""

    runs: tuple[str, str]
    same_test_part: bool
    test_examples: tuple[int | None, int | None]
    metrics: list[Row]
    settings: dict[str, tuple[Any, Any]]
    """What differs: hyperparameters, image, channels."""
    facts: dict[str, tuple[Any, Any]]
    """What both took and cost."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare(stack: Stack, one: str, other: str) -> Comparison:
    """Compare the runs that two words mean (see runs.choose). Raises SlipwayError."""
    known = find_runs(stack)
    runs = choose(stack, known, one), choose(stack, known, other)
    if runs[0].name == runs[1].name:
        raise SlipwayError(f"{one!r} and {other!r} are the same run, {runs[0].name}; name two: slipway runs", USAGE)
    first, second = (read_metrics(stack, run) for run in runs)
    settings = _pairs(first.get("settings", {}), second.get("settings", {}))
    if all(run.made_of for run in runs):  # AWS no longer knows what the job of an old run was made of
        settings |= _pairs(runs[0].made_of, runs[1].made_of)
    return Comparison(
        runs=(runs[0].name, runs[1].name),
        same_test_part=same_test_part(first, second),
        test_examples=(first.get("examples"), second.get("examples")),
        metrics=[_row(name, first, second) for name in _metrics(first, second)],
        settings={name: (a, b) for name, (a, b) in settings.items() if a != b},
        facts=_pairs(_facts(runs[0], first), _facts(runs[1], second)),
    )


def _metrics(first: Document, second: Document) -> list[str]:
    """Names of test metrics, the headline first."""
    names = (name for name in {**first, **second} if name.startswith("test_") and not name.endswith(("_low", "_high")))
    return [name for name in names if any(isinstance(one.get(name), (int, float)) for one in (first, second))]


def _row(metric: str, first: Document, second: Document) -> Row:
    a, b = first.get(metric), second.get(metric)
    return Row(
        metric=metric,
        first=a,
        second=b,
        first_interval=(first.get(f"{metric}_low"), first.get(f"{metric}_high")),
        second_interval=(second.get(f"{metric}_low"), second.get(f"{metric}_high")),
        difference=None if a is None or b is None else b - a,
        verdict=_verdict(metric, first, second),
    )


def _verdict(metric: str, first: Document, second: Document) -> Verdict:
    if first.get(metric) is None or second.get(metric) is None:
        return Verdict(word="unknown", how="only one run has it")
    return judge(metric, first, second)


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (first.get(name), second.get(name)) for name in {**first, **second}}


def _facts(run: Run, document: Document) -> dict[str, Any]:
    """A run whose job AWS no longer knows has no instances and no seconds."""
    billed = run.billable_seconds
    return {
        "instances": f"{run.instance}{', spot' if run.spot else ''}" or None,
        "seconds of the job": run.seconds,
        "seconds of the training": document.get("seconds", {}).get("train"),
        "billable seconds": None if billed is None else billed * run.instances,
    }


def view(comparison: Comparison) -> RenderableType:
    """The comparison as people read it."""
    names = "\n".join(f"{letter}  {name}" for letter, name in zip("AB", comparison.runs, strict=True))
    parts: list[RenderableType] = [names, "", _metric_table(comparison), _legend(comparison)]
    for title, pairs in (("Set differently", comparison.settings), ("Took", comparison.facts)):
        if pairs:
            table = _table(title)
            for name, (a, b) in pairs.items():
                table.add_row(name, _short(a), _short(b))
            parts += ["", table]
    return Group(*parts)


def _table(title: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in (title, "A", "B"):
        table.add_column(column, overflow="fold")
    return table


def _metric_table(comparison: Comparison) -> Table:
    table = _table("Reached")
    table.add_column("B - A", justify="right")
    table.add_column("B is")
    for row in comparison.metrics:
        chance = "" if row.verdict.p_value is None else f", p = {row.verdict.p_value:.3g}"
        how = (f"  {row.verdict.how}{chance}", "dim")
        verdict = Text.assemble((row.verdict.word, MARKS[row.verdict.word]), how)
        table.add_row(
            row.metric.removeprefix("test_"),
            _value(row.first, row.first_interval),
            _value(row.second, row.second_interval),
            "" if row.difference is None else f"{row.difference:+.4g}",
            verdict,
        )
    return table


def _value(value: float | None, interval: tuple[float | None, float | None]) -> str:
    if value is None:
        return "-"
    low, high = interval
    return f"{value:.4g}" + ("" if low is None or high is None else f" [{low:.4g}, {high:.4g}]")


def _legend(comparison: Comparison) -> Text:
    examples = [str(count) for count in comparison.test_examples if count is not None]
    tested = (
        f"the same {examples[0]} test examples"
        if comparison.same_test_part
        else (f"other test examples ({' and '.join(examples) or 'not recorded'}), so only by their intervals")
    )
    return Text(f"[95% interval]; compared on {tested}; within chance: p >= {LEVEL} or intervals that overlap", "dim")


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"...{text[-SHOWN_CHARACTERS:]}"
