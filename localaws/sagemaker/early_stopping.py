"""Early stopping of a tuning job's training jobs: the median rule, as AWS documents it.

After each epoch (each time the objective metric is printed) the value is compared with the median of what the jobs
that have completed before had come to by the same epoch, each of them as the average of its values so far
("Stop Training Jobs Early" in the developer guide).
"""

import statistics
from collections.abc import Iterable, Sequence


def is_hopeless(values: Sequence[float], completed: Iterable[Sequence[float]], *, maximize: bool) -> bool:
    """Whether a job whose objective was `values`, epoch by epoch, is to be stopped after the last of them.

    `completed` holds the values of the jobs to compare with; without one nothing is stopped.
    """
    epoch = len(values)
    averages = [statistics.fmean(other[:epoch]) for other in completed if other]
    if not values or not averages:
        return False
    median = statistics.median(averages)
    return values[-1] < median if maximize else values[-1] > median
