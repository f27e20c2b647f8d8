"""Scores of made-up classifiers, for the tests of the metrics."""

import numpy as np

Array = np.ndarray


def classifier(
    count: int, classes: int, separation: float, seed: int, *, temperature: float = 1.0
) -> tuple[Array, Array]:
    """float32 (count, classes) softmax scores and int64 (count,) targets; calibrated where temperature is 1."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes))
    logits[np.arange(count), targets] += separation
    # Of unit normals that differ by `separation` in one place, the log posterior is separation x value.
    exponent = np.exp(logits * separation / temperature)
    return (exponent / exponent.sum(1, keepdims=True)).astype(np.float32), targets


def labels(classes: int) -> tuple[str, ...]:
    """Names of so many classes."""
    return tuple(f"c{index}" for index in range(classes))
