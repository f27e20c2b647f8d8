"""Area under the ROC curve: the chance that an example of a class scores higher for it than one of the rest.

One class against the rest, from ranks: ties count one half, as in the trapezoid rule over the curve. The macro value
is the plain mean over the classes that have examples on both sides.
"""

import numpy as np

from training.quality.intervals import SEED, Array, Metric, effective_proportion

MAX_CELLS = 10_000_000  # scores that are ranked: 2 s on one core


def auc(outputs: Array, targets: Array) -> tuple[Array, Metric | None, int]:
    """Per class (C,) (NaN: undefined), the macro mean (None: undefined for all), and how many examples were ranked.

    outputs float32 (N, C) scores, targets int64 (N,). Above MAX_CELLS scores a fixed random part of the examples is
    ranked; the interval is that part's. The variance is DeLong's (DeLong, DeLong and Clarke-Pearson 1988, Biometrics
    44:837), taken over the mean of the classes.
    """
    rows = max(MAX_CELLS // outputs.shape[1], 1)
    if len(outputs) > rows:
        chosen = np.sort(np.random.default_rng(SEED).choice(len(outputs), rows, replace=False))
        outputs, targets = outputs[chosen], targets[chosen]
    count, classes = outputs.shape
    areas = np.full(classes, np.nan)
    influence = np.zeros(count)
    for label in np.unique(targets):
        positive = targets == label
        if positive.all():
            continue
        areas[label], moved = _one_against_rest(outputs[:, label], positive)
        influence += moved
    defined = int(np.isfinite(areas).sum())
    if defined == 0:
        return areas, None, count
    value = min(float(np.nansum(areas)) / defined, 1.0)
    variance = float(np.square(influence / defined).sum())
    return areas, effective_proportion(value, variance, count), count


def _one_against_rest(scores: Array, positive: Array) -> tuple[float, Array]:
    """The area, and by how much each example moves it, float64 (N,)."""
    ours, others = np.sort(scores[positive]), np.sort(scores[~positive])
    beaten = _rank(others, scores[positive]) / len(others)
    kept = 1 - _rank(ours, scores[~positive]) / len(ours)
    area = float(beaten.mean())
    influence = np.empty(len(scores))
    influence[positive] = (beaten - area) / _degrees(len(ours))
    influence[~positive] = (kept - area) / _degrees(len(others))
    return area, influence


def _rank(ordered: Array, values: Array) -> Array:
    """How many of `ordered` each value is above, equals counting one half."""
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2


def _degrees(count: int) -> float:
    """sqrt(n (n - 1)): dividing deviations by it makes their sum of squares the unbiased variance of a mean."""
    return float(np.sqrt(count * max(count - 1, 1)))
