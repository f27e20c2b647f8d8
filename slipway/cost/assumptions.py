"""What is assumed of a stack's use, with unit and reason: the defaults of `slipway.cost.usage`."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway.cost.amounts import NOTHING, Span


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """A default, what it counts and why it is this; `monthly` when it grows with time."""

    unit: str
    why: str
    span: Span = NOTHING
    monthly: bool = False


def _assumed(unit: str, why: str, *figures: str, monthly: bool = False) -> Assumption:
    return Assumption(unit=unit, why=why, span=Span.of(*figures) if figures else NOTHING, monthly=monthly)


ASSUMED: Mapping[str, Assumption] = {
    "hours": _assumed("hours", "a month of AWS's calculator", "730"),
    "runs_a_month": _assumed("runs", "one a week; no setting limits them", "1", "4", "4", monthly=True),
    "training_seconds": _assumed("s a run", "past runs of this stack, else half of the longest allowed"),
    "warm_pool_seconds": _assumed("s a run", "as long as the setting keeps them; low: the next run comes at once"),
    "tuning_jobs": _assumed("jobs a search", "all that training.tuning.max_jobs allows"),
    "requests_a_month": _assumed(
        "requests", "a small service; worst: ten times as many", "0", "100000", "1000000", monthly=True
    ),
    "ms_a_request": _assumed("ms", "a small network on a CPU", "10", "50", "500"),
    "request_bytes": _assumed("bytes", "a small image as PNG, or a few kB of JSON", "500", "5000", "50000"),
    "answer_bytes": _assumed("bytes", "labels and scores as JSON", "200", "1000", "10000"),
    "bucket_gb": _assumed("GB", "data set, artifacts and checkpoints; not bounded by a setting", "0", "5", "50"),
    "bucket_puts_a_month": _assumed("PUT requests", "runs, builds and notes", "0", "5000", "100000", monthly=True),
    "bucket_gets_a_month": _assumed("GET requests", "runs and endpoints", "0", "20000", "400000", monthly=True),
    "log_gb_a_month": _assumed("GB", "a line a request of 200 bytes, and the runs'", "0", "0.2", "5", monthly=True),
    "builds_a_month": _assumed("builds", "one a week: the code changes", "0", "4", "20", monthly=True),
    "minutes_a_build": _assumed("minutes", "10; worst: the build's time limit"),
    "image_gb": _assumed("GB an image", "Python, PyTorch with CUDA, compressed", "0.5", "4", "6"),
    "images_kept": _assumed("images", "3; worst: what the repository's lifecycle keeps"),
    "notifications_a_month": _assumed("messages", "alarms and answers", "0", "10", "1000", monthly=True),
    "bucket_events_a_month": _assumed(
        "events", "reads and writes that the trail records", "0", "25000", "500000", monthly=True
    ),
    "private_gb_a_month": _assumed(
        "GB", "images and logs through the VPC's interface endpoints", "0", "10", "100", monthly=True
    ),
    "key_requests_a_month": _assumed("requests", "a bucket key keeps them few", "0", "5000", "100000", monthly=True),
    "guard_seconds": _assumed("s a call", "a few calls of AWS", "0.3", "2", "60"),
}
