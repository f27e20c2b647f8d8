"""What the server counts: one row of numbers for each process in memory that all of them share.

    metrics = Metrics(SharedTable(rows=3), row=0)
    metrics.outcome("ok"); metrics.observe(MODEL, 0.004)
    metrics.render({"engine": "torch"})    # Prometheus text, summed over the rows

Counting costs 0.2 to 0.4 us: an index and an addition, no lock, because only one thread of one process writes a row.
A worker that is started anew goes on in the row of the one it replaces, so counters never go back.
"""

import mmap
import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.machine import resident_bytes

OUTCOMES = ("ok", "client_error", "overloaded", "timeout", "model_error", "cancelled")
GAUGES = ("queue_instances", "requests_in_flight", "connections")
SERVER = ("worker_restarts_total", "model_load_seconds")  # the supervisor's, or the only process'
PROCESS = ("workers", "pid")
SECONDS = (
    *(step * 10.0**power for power in (-5, -4, -3, -2, -1) for step in (1, 2, 5)),
    *(1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
INSTANCES = tuple(float(2**power) for power in range(13))


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Where a histogram lies in a row: a place for each bound, one for what is above, one for the sum."""

    name: str
    labels: str
    bounds: tuple[float, ...]
    place: int

    @property
    def size(self) -> int:
        """Numbers it takes."""
        return len(self.bounds) + 2


def _layout() -> tuple[dict[str, int], tuple[Histogram, ...], int]:
    places = {name: number for number, name in enumerate((*OUTCOMES, *GAUGES, *SERVER, *PROCESS))}
    wanted = [("request_seconds", "", SECONDS)]
    wanted += [("phase_seconds", f'phase="{phase}"', SECONDS) for phase in ("decode", "queue", "model", "encode")]
    wanted += [("batch_instances", "", INSTANCES)]
    histograms, end = [], len(places)
    for name, labels, bounds in wanted:
        histograms.append(Histogram(name=name, labels=labels, bounds=bounds, place=end))
        end += histograms[-1].size
    return places, tuple(histograms), end


_PLACES, HISTOGRAMS, ROW_NUMBERS = _layout()
REQUEST, DECODE, QUEUE, MODEL, ENCODE, BATCH = HISTOGRAMS
_HELP = {
    "requests_total": ("counter", "Finished requests of /invocations by outcome"),
    "queue_instances": ("gauge", "Instances that wait for the model"),
    "requests_in_flight": ("gauge", "Requests of /invocations without their answer yet"),
    "connections": ("gauge", "Open client connections"),
    "request_seconds": ("histogram", "From a whole request to its answer, of a streamed one to its beginning"),
    "phase_seconds": ("histogram", "What a request's time was spent on"),
    "batch_instances": ("histogram", "Instances in one call of the model"),
    "workers": ("gauge", "Living worker processes"),
    "worker_restarts_total": ("counter", "Workers that ended by themselves and were replaced"),
    "model_load_seconds": ("gauge", "From the start of the process to a model that has proven itself"),
    "model_info": ("gauge", "Which model is served, by which engine"),
    "resident_memory_bytes": ("gauge", "Memory of all processes, shared pages counted once"),
}
PREFIX = "slipway_"
METRIC_NAMES = frozenset(PREFIX + name for name in _HELP)


class SharedTable:
    """`rows` rows of numbers; processes forked after its making all see it."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._memory = mmap.mmap(-1, rows * ROW_NUMBERS * 8)
        self.numbers = memoryview(self._memory).cast("d")

    def row(self, number: int) -> "memoryview[float]":
        """The numbers of one row."""
        return self.numbers[number * ROW_NUMBERS : (number + 1) * ROW_NUMBERS]

    def sums(self) -> list[float]:
        """Each number summed over the rows."""
        rows = [self.row(number).tolist() for number in range(self.rows)]
        return [sum(values) for values in zip(*rows, strict=True)]


def process_id(table: SharedTable, row: int) -> int:
    """Of the process that counts in that row; 0 where there is none."""
    return int(table.row(row)[_PLACES["pid"]])


def end_of_process(table: SharedTable, row: int) -> None:
    """The process of that row has ended: its gauges are 0, its counters stay."""
    numbers = table.row(row)
    for name in (*GAUGES, *PROCESS):
        numbers[_PLACES[name]] = 0.0


class Metrics:
    """One process's counting. `row` is taken over: its gauges begin at 0, its counters go on."""

    def __init__(self, table: SharedTable, row: int = 0) -> None:
        self.table, self.row = table, row
        end_of_process(table, row)
        self._row = table.row(row)
        self._row[_PLACES["pid"]] = os.getpid()

    def outcome(self, name: str) -> None:
        """One more finished request; `name` is one of OUTCOMES."""
        self._row[_PLACES[name]] += 1.0

    def add(self, name: str, change: float) -> None:
        """Move a number of GAUGES, SERVER or `workers`."""
        self._row[_PLACES[name]] += change

    def observe(self, histogram: Histogram, value: float) -> None:
        """One more observation."""
        place = histogram.place
        self._row[place + bisect_left(histogram.bounds, value)] += 1.0
        self._row[place + len(histogram.bounds) + 1] += value

    def render(self, model: Mapping[str, str]) -> bytes:
        """Everything, summed over all processes, in Prometheus' text format 0.0.4; `model` is for model_info."""
        sums = self.table.sums()
        lines: list[str] = []
        _add(lines, "requests_total", [(f'outcome="{name}"', sums[_PLACES[name]]) for name in OUTCOMES])
        for name in (*GAUGES, "workers", *SERVER):
            _add(lines, name, [("", sums[_PLACES[name]])])
        for name in ("request_seconds", "phase_seconds", "batch_instances"):
            _add_histograms(lines, name, [one for one in HISTOGRAMS if one.name == name], sums)
        labels = ",".join(f'{name}="{_escaped(model.get(name, ""))}"' for name in ("engine", "version", "task"))
        _add(lines, "model_info", [(labels, 1)])
        pids = [process_id(self.table, number) for number in range(self.table.rows)]
        _add(lines, "resident_memory_bytes", [("", sum(resident_bytes(pid) for pid in pids if pid))])
        return "\n".join([*lines, ""]).encode()


def _add(lines: list[str], name: str, values: Sequence[tuple[str, float]], *, suffix: str = "") -> None:
    if not suffix:
        _head(lines, name)
    for labels, value in values:
        lines.append(
            f"{PREFIX}{name}{suffix}{{{labels}}} {value:.12g}" if labels else f"{PREFIX}{name}{suffix} {value:.12g}"
        )


def _add_histograms(lines: list[str], name: str, histograms: Sequence[Histogram], sums: Sequence[float]) -> None:
    _head(lines, name)
    for histogram in histograms:
        counts = sums[histogram.place : histogram.place + len(histogram.bounds) + 1]
        total, comma = 0.0, "," if histogram.labels else ""
        for bound, count in zip((*histogram.bounds, float("inf")), counts, strict=True):
            total += count
            text = "+Inf" if bound == float("inf") else f"{bound:g}"
            _add(lines, name, [(f'{histogram.labels}{comma}le="{text}"', total)], suffix="_bucket")
        _add(lines, name, [(histogram.labels, sums[histogram.place + len(histogram.bounds) + 1])], suffix="_sum")
        _add(lines, name, [(histogram.labels, total)], suffix="_count")


def _head(lines: list[str], name: str) -> None:
    kind, text = _HELP[name]
    lines += [f"# HELP {PREFIX}{name} {text}.", f"# TYPE {PREFIX}{name} {kind}"]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
