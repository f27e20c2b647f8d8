"""All windows of one model: the ceiling, then each server with each format and number of connections."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import cores
from benchmarks.serving import ceiling
from benchmarks.serving.measure import Window, expected_scores, window
from benchmarks.serving.servers import NPY, Contender, Running, requests_of, running

OPEN_SHARES = (0.5, 0.8)  # of the closed loop's rate
FULL = 64  # connections at which shares of the ceiling are told


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure."""

    artifacts: Path
    connections: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Served:
    """One server with one model; windows by (format, connections, share of the rate or 0)."""

    name: str
    cold_seconds: float
    memory_mib: float
    windows: dict[tuple[str, int, float], Window]


@dataclass(kw_only=True)
class Result:
    """One model. `ceiling` is examples a second on all cores with default malloc, `kept` with raised thresholds."""

    model: str
    ceiling: float
    kept: float
    seconds_alone: float
    served: list[Served] = field(default_factory=list)


def measure(model: str, contenders: Iterable[Contender], plan: Plan) -> Result:
    """The ceiling first; a server that does not start is left out with a word."""
    ceilings, alone = [], 0.0
    for keep in (False, True):
        apart = ceiling.measure(model, cores(), 1, plan.seconds, keep=keep)
        together = ceiling.measure(model, 1, cores(), plan.seconds, keep=keep)
        ceilings.append(max(*apart.values(), *together.values()))
        alone = cores() / apart[1]
    result = Result(model=model, ceiling=ceilings[0], kept=ceilings[1], seconds_alone=alone)
    expected = expected_scores(model)
    for contender in contenders:
        try:
            with running(contender, model, plan.artifacts) as server:
                result.served.append(_serve(contender, server, model, plan, expected))
        except RuntimeError as error:
            print(f"{contender.name} with {model}: {error}", file=sys.stderr, flush=True)
    return result


def _serve(contender: Contender, server: Running, model: str, plan: Plan, expected: "object") -> Served:
    windows: dict[tuple[str, int, float], Window] = {}
    for form in contender.formats:
        if form == NPY and model == "m3" and contender.sends_texts:
            continue
        requests = requests_of(contender, model, form)
        window(server, requests, expected, connections=max(plan.connections), seconds=plan.seconds / 2)  # warm up
        for connections in plan.connections:
            windows[form, connections, 0.0] = window(
                server, requests, expected, connections=connections, seconds=plan.seconds
            )
        closed = windows[form, max(plan.connections), 0.0].rate
        for share in OPEN_SHARES:
            windows[form, max(plan.connections), share] = window(
                server, requests, expected, connections=4 * FULL, seconds=plan.seconds, rate=closed * share
            )
    return Served(
        name=contender.name, cold_seconds=server.cold_seconds, memory_mib=server.memory_mib(), windows=windows
    )
