"""Whether two runs differ beyond chance, from what their metrics.json records of each test example.

Both models answered the same examples, so the pairs decide: an accuracy by McNemar's exact test, a squared error by
flipping the signs of the differences. Two-sided, for neither run is the one in question. Without pairs there are only
the two intervals: apart means different, overlapping means nothing is known.
"""

import base64
import math
import random
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEVEL = 0.05
FLIPS = 1999
MOST_FLIPPED = 1000  # differing examples; the sum over more is normal for all purposes
PAIRED = {"test_accuracy": "correct", "test_rmse": "errors", "test_reconstruction": "errors"}
"""Metric -> what metrics.json keeps of each test example for it."""
LOWER_IS_BETTER = ("loss", "error", "rmse", "mae", "reconstruction")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`word` is better, worse (the second run than the first), within chance, or unknown; `how` says by which test."""

    word: str
    how: str
    p_value: float | None = None


def judge(metric: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Verdict:
    """The second run against the first, by one metric of two metrics.json documents that both have it."""
    gained = second[metric] - first[metric]
    word = "better" if (gained < 0) == metric.endswith(LOWER_IS_BETTER) else "worse"
    pair = pairs(metric, first, second)
    if pair is not None:
        how, p_value = pair
        return Verdict(word=word if p_value < LEVEL else "within chance", how=how, p_value=p_value)
    names = f"{metric}_low", f"{metric}_high"
    if any(document.get(name) is None for document in (first, second) for name in names):
        return Verdict(word="unknown", how="no interval")
    (low, high), (other_low, other_high) = ([float(document[name]) for name in names] for document in (first, second))
    apart = high < other_low or other_high < low
    return Verdict(word=word if apart else "within chance", how="intervals apart" if apart else "intervals overlap")


def same_test_part(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether both were tested on the same examples in the same order."""
    hashes = [document.get("test_examples", {}).get("sha256") for document in (first, second)]
    return hashes[0] is not None and hashes[0] == hashes[1]


def pairs(metric: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, float] | None:
    """(name of the test, p-value) where the metric can be compared example by example, else None."""
    kept = PAIRED.get(metric, "")
    texts = [document.get("test_examples", {}).get(kept) for document in (first, second)]
    if not same_test_part(first, second) or None in texts:
        return None
    raw = [base64.b64decode(text) for text in texts]
    if kept == "correct":
        ours, theirs = (int.from_bytes(bits) for bits in raw)
        return "exact McNemar test", mcnemar((ours & ~theirs).bit_count(), (theirs & ~ours).bit_count())
    return "paired permutation test", sign_flips([b - a for a, b in zip(*map(_floats, raw), strict=True)])


def _floats(raw: bytes) -> "array[float]":
    """Little-endian float32."""
    values = array("f", raw)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def mcnemar(one: int, other: int) -> float:
    """Chance that discordant pairs fall as unevenly as `one` to `other`, if each fell either way with probability 1/2.

    Twice the smaller tail of the binomial(one + other, 1/2), at most 1: McNemar 1947, Psychometrika 12:153, in its
    exact form. In logarithms: the coefficients overflow a float from 1,030 pairs on.
    """
    total = one + other
    coefficients = (
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in range(min(one, other) + 1)
    )
    return min(1.0, 2 * math.fsum(math.exp(term - total * math.log(2)) for term in coefficients))


def sign_flips(gains: list[float]) -> float:
    """Chance of a sum as far from zero as that of `gains`, if each were as likely to have the other sign.

    Fisher 1935, The Design of Experiments, section 21, from random flips with a fixed seed; above MOST_FLIPPED by the
    normal distribution with the same variance, the sum of the squares.
    """
    gains = [gain for gain in gains if gain]
    if not gains:
        return 1.0
    total, length = abs(math.fsum(gains)), math.sqrt(math.fsum(gain * gain for gain in gains))
    if len(gains) > MOST_FLIPPED:
        return math.erfc(total / length / math.sqrt(2))
    draw = random.Random(0)
    sums = (abs(sum(gain if draw.getrandbits(1) else -gain for gain in gains)) for _ in range(FLIPS))
    return (1 + sum(found >= total - 1e-9 * length for found in sums)) / (FLIPS + 1)
