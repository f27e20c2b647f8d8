"""The judgement on datapoints, by the tables of CloudWatch's user guide, and metric math. Pure functions."""

import pytest

from localaws.alarms import expressions
from localaws.alarms.judge import MISSING, Rule, judge
from localaws.errors import AwsError

TIMELINE = [0.0, 60.0, 120.0]


def window(marks: str) -> list[tuple[float, float | None]]:
    """`0` is a good datapoint, `X` a breaching one, `-` none."""
    values = {"0": 0.0, "X": 5.0, "-": None}
    return [(number * 60.0, values[mark]) for number, mark in enumerate(marks.split())]


def rule(periods: int, needed: int, missing: str = "missing", comparison: str = "GreaterThanThreshold") -> Rule:
    return Rule(comparison=comparison, threshold=1.0, periods=periods, needed=needed, missing=missing)


@pytest.mark.parametrize(
    ("needed", "marks", "states"),
    [  # in the order of MISSING: missing, ignore, breaching, notBreaching; None keeps the state
        (3, "0 - X - X", ("OK", "OK", "OK", "OK")),
        (3, "0 - - - -", ("OK", "OK", "OK", "OK")),
        (3, "- - - - -", ("INSUFFICIENT_DATA", None, "ALARM", "OK")),
        (3, "0 X X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (3, "- - X - -", ("ALARM", None, "ALARM", "OK")),
        (2, "0 - X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0 0 X 0 X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0 - X - -", ("OK", "OK", "ALARM", "OK")),
        (2, "- - - - 0", ("OK", "OK", "ALARM", "OK")),
        (2, "- - - X -", ("ALARM", None, "ALARM", "OK")),
        (2, "- - - - X", (None, None, "ALARM", "OK")),  # too young to be judged
    ],
)
def test_missing_data(needed: int, marks: str, states: tuple[str | None, ...]) -> None:
    assert tuple(judge(rule(3, needed, missing), window(marks)).state for missing in MISSING) == states


@pytest.mark.parametrize(
    ("periods", "needed", "missing", "marks", "reason"),
    [
        (
            *(1, 1, "missing", "- - X"),
            "Threshold Crossed: 1 out of the last 1 datapoints [5.0 (01/01/70 00:02:00)] was greater than the "
            "threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition).",
        ),
        (
            *(2, 2, "missing", "- - X X"),
            "Threshold Crossed: 2 out of the last 2 datapoints [5.0 (01/01/70 00:02:00), 5.0 (01/01/70 00:03:00)] were "
            "greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            *(1, 1, "missing", "- - 0"),
            "Threshold Crossed: 1 out of the last 1 datapoints [0.0 (01/01/70 00:02:00)] was not greater than the "
            "threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition).",
        ),
        (
            *(2, 2, "breaching", "- - - -"),
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
            "[Breaching].",
        ),
        (
            *(3, 2, "notBreaching", "- - - X -"),
            "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as "
            "[NonBreaching].",
        ),
        (1, 1, "missing", "- - -", "Insufficient Data: 1 datapoint was unknown."),
    ],
)
def test_reasons_are_cloudwatchs(periods: int, needed: int, missing: str, marks: str, reason: str) -> None:
    assert judge(rule(periods, needed, missing), window(marks)).reason == reason


@pytest.mark.parametrize(
    ("comparison", "at_the_threshold", "above"),
    [
        ("GreaterThanThreshold", "OK", "ALARM"),
        ("GreaterThanOrEqualToThreshold", "ALARM", "ALARM"),
        ("LessThanThreshold", "OK", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM", "OK"),
    ],
)
def test_comparisons(comparison: str, at_the_threshold: str, above: str) -> None:
    for value, state in ((1.0, at_the_threshold), (2.0, above)):
        assert judge(rule(1, 1, comparison=comparison), [(0.0, None), (60.0, None), (120.0, value)]).state == state


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("100*m1/m2", {0.0: 25.0}),  # where one is missing, or the divisor is zero, there is no datapoint
        ("m1 + 1", {0.0: 2.0, 60.0: 3.0}),
        ("FILL(m1, 0)", {0.0: 1.0, 60.0: 2.0, 120.0: 0.0}),
        ("FILL(m1, REPEAT)", {0.0: 1.0, 60.0: 2.0, 120.0: 2.0}),
        ("IF(m2 > 3, m1)", {0.0: 1.0}),
        ("IF(m2 > 3 AND m1 >= 1, 10, 0)", {0.0: 10.0, 60.0: 0.0}),
        ("IF(m1 > 1 || m2 == 4, 1, 0)", {0.0: 1.0, 60.0: 1.0}),
        ("SUM([m1, m2])", {0.0: 5.0, 60.0: 2.0, 120.0: 8.0}),
        ("MAX(m2)", {0.0: 8.0, 60.0: 8.0, 120.0: 8.0}),
        ("-m1 ^ 2", {0.0: 1.0, 60.0: 4.0}),
    ],
)
def test_metric_math(expression: str, expected: dict[float, float]) -> None:
    series = {"m1": {0.0: 1.0, 60.0: 2.0}, "m2": {0.0: 4.0, 60.0: 0.0, 120.0: 8.0}}
    assert expressions.evaluate(expression, series, TIMELINE) == expected


@pytest.mark.parametrize("expression", ["m1 +", "SEARCH('x')", "m1.real", "RATE(m1)", "__import__('os')"])
def test_other_math_is_refused(expression: str) -> None:
    with pytest.raises(AwsError, match="Error in expression"):
        expressions.parse(expression)
