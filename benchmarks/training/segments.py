"""Short segments of two or more loops in turn, and the ratio of each to the segments of the base around it.

    base | other | base | other | base ...

Whatever slows the machine for a while slows neighbours alike, so the ratio holds where the seconds do not.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.machine import QUIET_CORES, Load, Reading
from training.signals import StopFlag

SEGMENT_SECONDS = 0.5  # others' CPU time is counted in steps of 0.01 s
WARM_UP_STEPS = 5
LEAST_STEPS = 2
LEAST_QUIET_PAIRS = 3

Script = Iterator[int]  # yields how many steps to make; resumed when they are made


@dataclass(frozen=True, kw_only=True)
class Segment:
    """`steps` of the loop called `who`; `others` is what other processes used meanwhile, in cores."""

    who: str
    steps: int
    seconds: float
    others: float

    @classmethod
    def since(cls, before: Reading, who: str, steps: int, load: Load) -> "Segment":
        """One that ends now."""
        seconds = time.perf_counter() - before.at
        return cls(who=who, steps=steps, seconds=seconds, others=load.cores_since(before))

    @property
    def step_us(self) -> float:
        """Microseconds a step."""
        return self.seconds / self.steps * 1e6


def timed(who: str, steps: int, load: Load, run: Callable[[int], object]) -> Segment:
    """Run it and measure it."""
    before = load.read()
    run(steps)
    return Segment.since(before, who, steps, load)


def steps_for(seconds: float, run: Callable[[int], object]) -> int:
    """How many steps take so long, after a warm-up."""
    run(WARM_UP_STEPS)
    started = time.perf_counter()
    run(WARM_UP_STEPS)
    return max(LEAST_STEPS, round(seconds * WARM_UP_STEPS / (time.perf_counter() - started)))


class Turns(StopFlag):
    """Hands a running training.loop over to a script: the loop looks at its stop flag after every step.

    The script's first turn comes after the first step; its end stops the loop.
    """

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script, self._left = script, 1

    def __bool__(self) -> bool:
        self._left -= 1
        if self._left == 0:
            self._left = next(self._script, 0)
            if self._left == 0:
                self.signal_name = "the end of the script"
        return bool(self.signal_name)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One segment against the mean of the two segments of the base around it."""

    ratio: float  # of examples a second; above 1: faster than the base
    extra_us: float  # a step
    step_us: float
    others: float  # cores, the worst of the three


def pairs(timeline: list[Segment], who: str, base: str) -> list[Pair]:
    """Every segment of `who` that has one of the base, of as many steps, on either side."""
    found = []
    for before, segment, after in zip(timeline, timeline[1:], timeline[2:], strict=False):
        if segment.who == who and before.who == after.who == base:
            base_us = (before.step_us + after.step_us) / 2
            found.append(
                Pair(
                    ratio=base_us / segment.step_us,
                    extra_us=segment.step_us - base_us,
                    step_us=segment.step_us,
                    others=max(part.others for part in (before, segment, after)),
                )
            )
    return found


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Medians of the quiet pairs; of all of them, marked `busy`, where fewer than three were quiet."""

    ratio: float
    low: float  # quartiles of the ratio
    high: float
    extra_us: float
    step_us: float
    others: float  # cores, median over all pairs
    quiet: int
    total: int

    @classmethod
    def of(cls, found: list[Pair]) -> "Summary":
        """Of one pair or more."""
        quiet = [pair for pair in found if not pair.others > QUIET_CORES]  # NaN, unknown, counts as quiet
        used = quiet if len(quiet) >= LEAST_QUIET_PAIRS else found
        ratios = [pair.ratio for pair in used]
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        return cls(
            ratio=statistics.median(ratios),
            low=low,
            high=high,
            extra_us=statistics.median(pair.extra_us for pair in used),
            step_us=statistics.median(pair.step_us for pair in used),
            others=statistics.median(pair.others for pair in found),
            quiet=len(quiet),
            total=len(found),
        )

    @property
    def busy(self) -> bool:
        """Whether too few pairs were quiet."""
        return self.quiet < LEAST_QUIET_PAIRS

    def ratio_cell(self) -> str:
        """Median [quartiles], for a table."""
        return f"{self.ratio:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def load_cell(self) -> str:
        """Others' cores and the pairs used, for a table."""
        others = "unknown" if math.isnan(self.others) else f"{self.others:.2f}"
        return f"{others}; {self.quiet} of {self.total}{' **busy**' if self.busy else ''}"

    def verdict(self, floor: float) -> str:
        """The floor and whether the median reaches it; a busy machine proves neither."""
        reached = "met" if self.ratio >= floor else "**missed**"
        return f">= {floor:g}: {'not judged' if self.busy else reached}"
