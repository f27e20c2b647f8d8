"""The tables of benchmarks/serving.py, and the same figures for the chart."""

from typing import Any

from benchmarks import table
from benchmarks.serving.runs import FULL, Result, Served

FLOORS = {"m1": 0.62, "m2": 0.93, "m3": 0.84}
ONNX_FLOORS = {"m1": 1.5}
P99_FLOOR, ADDED_FLOOR_MS, COLD_FLOOR_SECONDS = 2.5, 0.3, 1.5
COLUMNS = (
    *("model", "server", "format", "connections", "load", "requests/s", "of the ceiling"),
    *("p50, ms", "p99, ms", "wrong answers", "cores: server, load, others"),
)


def show(results: list[Result]) -> None:
    """Print."""
    about = """\
The raw model in eager fp32 without any server, the better of one process with all threads and one for each core; in
brackets with the C library's malloc thresholds raised, as `serve` raises them."""
    rows = [[one.model, f"{one.ceiling:.0f} ({one.kept:.0f})", f"{one.seconds_alone * 1e3:.2f}"] for one in results]
    table.show("Ceiling", about, ("model", "examples/s", "one alone, ms"), rows)
    about = """\
Closed: each connection asks again at once. Open: requests leave at that rate, and a latency counts from the time they
should have left. Every answer is compared with the model's own."""
    table.show("Servers", about, COLUMNS, (row for one in results for row in _rows(one)))
    table.show(
        "Start and memory",
        "From the start of the process to the first right answer; PSS of all processes after the load.",
        ("model", "server", "cold start, s", "memory, MiB"),
        (
            [one.model, served.name, f"{served.cold_seconds:.2f}", f"{served.memory_mib:.0f}"]
            for one in results
            for served in one.served
        ),
    )
    table.show("Floors", "", ("what", "figure", "floor"), (row for one in results for row in _floors(one)))


def _rows(result: Result) -> list[list[str]]:
    return [
        [
            result.model,
            served.name,
            form,
            str(connections) if not share else "",
            f"open, {share:.0%}" if share else "closed",
            f"{window.rate:.0f}",
            f"{window.rate / result.ceiling:.2f}",
            f"{window.p50:.2f}",
            f"{window.p99:.2f}",
            str(window.wrong),
            ", ".join(f"{used:.2f}" for used in (window.server_cores, window.load_cores, window.others))
            + ("" if window.quiet else " (busy)"),
        ]
        for served in result.served
        for (form, connections, share), window in served.windows.items()
    ]


def best_rate(served: Served) -> float:
    """Requests a second at FULL connections, of the better format."""
    return max(
        (one.rate for (_, connections, share), one in served.windows.items() if connections == FULL and not share),
        default=0.0,
    )


def _floors(result: Result) -> list[list[str]]:
    by_name = {served.name: served for served in result.served}
    mine, name = by_name["ours, torch"], result.model
    rows = [[f"{name}: eager, of the ceiling", f"{best_rate(mine) / result.ceiling:.2f}", f">= {FLOORS[name]}"]]
    if name in ONNX_FLOORS and "ours, onnx" in by_name:
        share = best_rate(by_name["ours, onnx"]) / result.ceiling
        rows.append([f"{name}: ONNX, of the eager ceiling", f"{share:.2f}", f">= {ONNX_FLOORS[name]}"])
    peers = [best_rate(served) for served in result.served if not served.name.startswith("ours")]
    if peers:
        rows.append([f"{name}: eager, of the best peer", f"{best_rate(mine) / max(peers):.2f}", "> 1"])
    full = {key: one for key, one in mine.windows.items() if key[1] == FULL and not key[2]}
    for (form, _, _), one in full.items():
        rows.append([f"{name}, {form}: p99 / p50 at {FULL}", f"{one.p99 / one.p50:.2f}", f"< {P99_FLOOR}"])
    for (form, connections, _), one in mine.windows.items():
        if connections == 1:
            added = one.p50 - result.seconds_alone * 1e3
            rows.append([f"{name}, {form}: added to the model call, ms", f"{added:.2f}", f"< {ADDED_FLOOR_MS}"])
    rows.append([f"{name}: cold start, s", f"{mine.cold_seconds:.2f}", f"< {COLD_FLOOR_SECONDS}"])
    return rows


def document(headline: str, results: list[Result]) -> dict[str, Any]:
    """The figures of the chart."""
    return {
        "machine": headline,
        "models": {
            one.model: {
                "ceiling": round(one.ceiling),
                "servers": {served.name: round(best_rate(served)) for served in one.served},
            }
            for one in results
        },
    }
