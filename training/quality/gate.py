"""The quality gate: below it, no artifact leaves the job.

Two kinds of checks: limits that the hyperparameters set (exactly equal passes), and "not worse than the model now
served", which refuses only what a paired test calls worse at `baseline_significance`.
"""

from inference.artifact import GateCheck, GateVerdict
from training.errors import DataError
from training.options import GateOptions
from training.quality.limits import Limit, asked, check_limits, option_of
from training.quality.paired import PairedTest
from training.quality.record import PREFIX, Quality, show

NOT_WORSE = "not worse than served"


def judge(quality: Quality, gate: GateOptions, baseline: PairedTest | None) -> GateVerdict:
    """The verdict that goes into the manifest; `baseline` is None where no model is served yet.

    Raises ConfigError for limits that do not fit the task, DataError for one on a metric that this test part does
    not define: a gate that cannot be checked does not pass.
    """
    check_limits(quality.task, gate)
    checks = [_check(quality, limit, value) for limit, value in asked(gate)]
    if baseline is not None:
        checks.append(
            GateCheck(
                metric=PREFIX + baseline.metric,
                rule=NOT_WORSE,
                value=baseline.ours,
                limit=baseline.theirs,
                passed=baseline.verdict(gate.baseline_significance) != "worse",
            )
        )
    return GateVerdict(passed=all(check.passed for check in checks), checks=tuple(checks))


def log_line(verdict: GateVerdict) -> str:
    """One line that names each check: `gate=passed min_accuracy=0.98 test_accuracy=0.9972`."""
    words, failed = [f"gate={'passed' if verdict.passed else 'refused'}"], []
    for check in verdict.checks:
        name = "served" if check.rule == NOT_WORSE else option_of(check.metric, check.rule)
        words.append(f"{name}={check.limit:g} {check.metric}={show(check.metric, check.value)}")
        failed += [] if check.passed else [name]
    words += [] if verdict.checks else ["checks=none"]
    words += [f"failed={','.join(failed)}"] if failed else []
    return " ".join(words)


def refusal(verdict: GateVerdict, baseline: PairedTest | None) -> str:
    """The reason a user reads in FailureReason: every failed check, its value, its limit and what to change."""
    reasons = [_reason(check, baseline) for check in verdict.checks if not check.passed]
    return f"{'; '.join(reasons)}; no artifact was written; train longer or wider, or change the limit"


def _check(quality: Quality, limit: Limit, value: float) -> GateCheck:
    metric = quality.measured.get(limit.metric)
    if metric is None:
        raise DataError(
            f"{limit.option}: {value:g} cannot be checked: {PREFIX}{limit.metric} is not defined on the "
            f"{quality.examples} test examples (one class only, or equal targets); add test data, or remove the limit"
        )
    passed = metric.value >= value if limit.rule == ">=" else metric.value <= value
    return GateCheck(metric=PREFIX + limit.metric, rule=limit.rule, value=metric.value, limit=value, passed=passed)


def _reason(check: GateCheck, baseline: PairedTest | None) -> str:
    option = option_of(check.metric, check.rule)
    value = f"{check.value:.6g}"  # four decimals would call 0.97997 and a limit of 0.98 the same
    if check.rule != NOT_WORSE:
        side = "below" if check.rule == ">=" else "above"
        return f"{check.metric} {value} is {side} the limit {check.limit:g} (hyperparameter {option})"
    counts = ""
    if baseline is not None:
        counts = (
            f" (better on {baseline.ours_better} and worse on {baseline.theirs_better} of the same {baseline.n} "
            f"examples, {baseline.method}, p={baseline.p_value:.2g})"
        )
    return (
        f"{check.metric} {value} is significantly worse than the served model's {check.limit:.6g}{counts} "
        f"(hyperparameter {option})"
    )
