"""Where a tuning job gets its hyperparameters from: ranges, their checks, and samples of them as strings.

Grid walks through all combinations. Every other strategy draws at random from the ranges on their scales: Bayesian
and Hyperband differ from Random in AWS by what they learn from other jobs, which is not emulated.
"""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from localaws.errors import validation

KINDS = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")
MAX_RANGES = 30

DIFFERENCES = (
    (
        "Bayesian tuning",
        "hyperparameters are drawn at random, as by Random; what earlier jobs have found is not used to choose them",
    ),
    (
        "Hyperband tuning",
        "likewise at random; StrategyConfig is checked and stored, and its own early stopping stops nothing",
    ),
    ("ScalingType Auto", "linear; AWS finds the scale by itself"),
)

Ranges = Mapping[str, Any]


def check(strategy: str, ranges: Ranges, static: Mapping[str, str]) -> None:
    """Refuse ranges that AWS refuses. Raises a validation error."""
    names = [item["Name"] for kind in KINDS for item in ranges.get(kind, [])]
    if ranges.get("AutoParameters"):
        raise validation("AutoParameters are not emulated; give ranges.")
    if not names:
        raise validation("ParameterRanges must hold at least one hyperparameter to tune.")
    if len(names) > MAX_RANGES:
        raise validation(f"ParameterRanges hold {len(names)} hyperparameters; the maximum is {MAX_RANGES}.")
    for name in names:
        if names.count(name) > 1:
            raise validation(f"Hyperparameter {name} has more than one range; names must be unique.")
        if name in static:
            raise validation(f"Hyperparameter {name} cannot be both static and tuned; remove it from one of them.")
    if strategy == "Grid" and (ranges.get("IntegerParameterRanges") or ranges.get("ContinuousParameterRanges")):
        raise validation("Grid search supports categorical hyperparameters only; use CategoricalParameterRanges.")
    for item in ranges.get("IntegerParameterRanges", []):
        _check_range(item, int)
    for item in ranges.get("ContinuousParameterRanges", []):
        _check_range(item, float)


def _check_range(item: Mapping[str, str], kind: type[int] | type[float]) -> None:
    name, scale = item["Name"], item.get("ScalingType", "Auto")
    try:
        low, high = kind(item["MinValue"]), kind(item["MaxValue"])
    except ValueError as error:
        given = f"{item['MinValue']!r} and {item['MaxValue']!r}"
        raise validation(f"Hyperparameter {name}: MinValue and MaxValue are {given}; give {kind.__name__}s.") from error
    if not (math.isfinite(low) and math.isfinite(high)):
        raise validation(f"Hyperparameter {name}: MinValue {low} and MaxValue {high} must be finite.")
    if low > high:
        raise validation(f"Hyperparameter {name}: MinValue {low} is greater than MaxValue {high}.")
    if scale == "Logarithmic" and low <= 0:
        raise validation(
            f"Hyperparameter {name}: Logarithmic scaling needs a range of values greater than 0, not {low}."
        )
    if scale == "ReverseLogarithmic" and (kind is int or low < 0 or high >= 1):
        raise validation(
            f"Hyperparameter {name}: ReverseLogarithmic scaling needs a continuous range within 0 <= x < 1.0."
        )


def combinations(ranges: Ranges) -> float:
    """How many different combinations there are; infinite with a continuous range."""
    if any(float(item["MinValue"]) != float(item["MaxValue"]) for item in ranges.get("ContinuousParameterRanges", [])):
        return math.inf
    integers = (int(item["MaxValue"]) - int(item["MinValue"]) + 1 for item in ranges.get("IntegerParameterRanges", []))
    values = (len(set(item["Values"])) for item in ranges.get("CategoricalParameterRanges", []))
    return float(math.prod(integers) * math.prod(values))


def samples(strategy: str, ranges: Ranges, seed: int | str) -> Iterator[dict[str, str]]:
    """Each combination at most once. The same seed gives the same ones in the same order."""
    if strategy == "Grid":
        items = ranges["CategoricalParameterRanges"]
        for values in itertools.product(*(dict.fromkeys(item["Values"]) for item in items)):
            yield {item["Name"]: value for item, value in zip(items, values, strict=True)}
        return
    source, seen = random.Random(seed), set[tuple[str, ...]]()
    while len(seen) < combinations(ranges):
        drawn = {item["Name"]: draw(item, source) for kind, draw in _DRAWS.items() for item in ranges.get(kind, [])}
        if tuple(drawn.values()) not in seen:
            seen.add(tuple(drawn.values()))
            yield drawn


def _integer(item: Mapping[str, Any], source: random.Random) -> str:
    low, high = int(item["MinValue"]), int(item["MaxValue"])
    if item.get("ScalingType") != "Logarithmic":
        return str(source.randint(low, high))
    # Half a unit on either side, so that the ends are as likely as their neighbours.
    drawn = math.exp(source.uniform(math.log(low - 0.5), math.log(high + 0.5)))
    return str(min(max(round(drawn), low), high))


def _continuous(item: Mapping[str, Any], source: random.Random) -> str:
    low, high, scale = float(item["MinValue"]), float(item["MaxValue"]), item.get("ScalingType")
    if scale == "Logarithmic":
        drawn = math.exp(source.uniform(math.log(low), math.log(high)))
    elif scale == "ReverseLogarithmic":
        drawn = 1 - math.exp(source.uniform(math.log(1 - high), math.log(1 - low)))
    else:
        drawn = source.uniform(low, high)
    return repr(min(max(drawn, low), high))


def _categorical(item: Mapping[str, Any], source: random.Random) -> str:
    found: str = source.choice(item["Values"])
    return found


_DRAWS = dict(zip(KINDS, (_integer, _continuous, _categorical), strict=True))
