"""Which hyperparameter limits which metric, of which task.

`check_limits` belongs before the training: a limit that cannot be checked is found in a second, not in hours.
"""

import dataclasses
from dataclasses import dataclass

from training.errors import ConfigError
from training.options import GateOptions

CLASSIFICATIONS = ("image-classification", "text-classification", "tabular-classification")
REGRESSION = ("tabular-regression",)
GENERATION = ("image-generation",)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`option` of GateOptions asks that `metric` (without `test_`) be >= or <= its value."""

    option: str
    metric: str
    rule: str
    tasks: tuple[str, ...]


LIMITS = (
    Limit(option="min_accuracy", metric="accuracy", rule=">=", tasks=CLASSIFICATIONS),
    Limit(option="min_f1", metric="f1", rule=">=", tasks=CLASSIFICATIONS),
    Limit(option="min_auc", metric="auc", rule=">=", tasks=CLASSIFICATIONS),
    Limit(option="max_calibration_error", metric="calibration_error", rule="<=", tasks=CLASSIFICATIONS),
    Limit(option="min_r2", metric="r2", rule=">=", tasks=REGRESSION),
    Limit(option="max_rmse", metric="rmse", rule="<=", tasks=REGRESSION),
    Limit(option="max_reconstruction", metric="reconstruction", rule="<=", tasks=GENERATION),
)
_NOTHING = GateOptions()


def asked(gate: GateOptions) -> list[tuple[Limit, float]]:
    """The limits that differ from their default, which asks for nothing, with their values."""
    return [
        (limit, getattr(gate, limit.option))
        for limit in LIMITS
        if getattr(gate, limit.option) != getattr(_NOTHING, limit.option)
    ]


def check_limits(task: str, gate: GateOptions) -> None:
    """Raises ConfigError with every limit that is set and that no model of `task` can be held against."""
    wrong = [
        f"{limit.option}: {value:g} is a limit for {', '.join(limit.tasks)}, and the task is {task}"
        for limit, value in asked(gate)
        if task not in limit.tasks
    ]
    if wrong:
        allowed = ", ".join(limit.option for limit in LIMITS if task in limit.tasks)
        raise ConfigError("; ".join([*wrong, f"remove it; {task} can be held against {allowed}"]))


def option_of(metric: str, rule: str) -> str:
    """The hyperparameter that sets the limit of a check in a verdict; `metric` as it is there, with `test_`."""
    for limit in LIMITS:
        if metric == f"test_{limit.metric}" and rule == limit.rule:
            return limit.option
    return "baseline_significance"


assert {field.name for field in dataclasses.fields(GateOptions)} == {
    *(limit.option for limit in LIMITS),
    "baseline_significance",
}, "every option of the gate has its limit here"
