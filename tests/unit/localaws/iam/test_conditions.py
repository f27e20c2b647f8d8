"""Condition operators, keys that are absent, set operators: what AWS's reference says of each."""

from typing import Any

import pytest

from localaws.iam.conditions import hold
from localaws.iam.patterns import PolicyError

CONTEXT = {
    "s3:prefix": ("data/train",),
    "aws:securetransport": ("true",),
    "aws:sourceip": ("10.1.2.3",),
    "aws:currenttime": ("2026-11-21T12:00:00Z",),
    "aws:epochtime": ("1795262400",),
    "s3:max-keys": ("10",),
    "aws:tagkeys": ("team", "cost"),
    "aws:sourcearn": ("arn:aws:sagemaker:eu-west-1:123456789012:training-job/mine",),
    "aws:username": ("ann",),
}
JOBS = "arn:aws:sagemaker:*:123456789012:training-job/*"


@pytest.mark.parametrize(
    ("operator", "key", "value", "expected"),
    [
        ("StringEquals", "s3:prefix", "data/train", True),
        ("StringEquals", "S3:PREFIX", ["x", "data/train"], True),
        ("StringEquals", "s3:prefix", "DATA/train", False),
        ("StringEquals", "s3:prefix", "data/*", False),
        ("StringNotEquals", "s3:prefix", "x", True),
        ("StringNotEquals", "s3:prefix", ["x", "data/train"], False),
        ("StringEqualsIgnoreCase", "s3:prefix", "DATA/train", True),
        ("StringNotEqualsIgnoreCase", "s3:prefix", "DATA/train", False),
        ("StringLike", "s3:prefix", ["other/*", "data/*"], True),
        ("StringLike", "s3:prefix", "data/t?ain", True),
        ("StringNotLike", "s3:prefix", "data/*", False),
        ("stringlike", "s3:prefix", "data/*", True),
        ("ArnLike", "aws:SourceArn", JOBS, True),
        ("ArnEquals", "aws:SourceArn", JOBS, True),
        ("ArnLike", "aws:SourceArn", "arn:aws:sagemaker:*", False),
        ("ArnLike", "aws:SourceArn", "*", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:sage*:training-job/mine", False),
        ("ArnNotLike", "aws:SourceArn", JOBS, False),
        ("ArnNotEquals", "aws:SourceArn", JOBS.replace("training-job", "model"), True),
        ("Bool", "aws:SecureTransport", "true", True),
        ("Bool", "aws:SecureTransport", True, True),
        ("Bool", "aws:SecureTransport", "false", False),
        ("NumericLessThanEquals", "s3:max-keys", 10, True),
        ("NumericLessThan", "s3:max-keys", "10", False),
        ("NumericEquals", "s3:max-keys", "10.0", True),
        ("NumericGreaterThan", "s3:max-keys", "9", True),
        ("NumericNotEquals", "s3:max-keys", "9", True),
        ("NumericEquals", "s3:prefix", "10", False),
        ("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", True),
        ("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", False),
        ("DateLessThan", "aws:EpochTime", "2027-01-01T00:00:00Z", True),
        ("DateLessThan", "aws:CurrentTime", "soon", False),
        ("IpAddress", "aws:SourceIp", ["192.168.0.0/16", "10.0.0.0/8"], True),
        ("IpAddress", "aws:SourceIp", "10.1.2.4", False),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", False),
        ("Null", "s3:delimiter", "true", True),
        ("Null", "s3:prefix", True, False),
        ("Null", "s3:prefix", "false", True),
        ("StringEquals", "s3:prefix", "${aws:username}", False),
        ("StringLike", "aws:username", "${aws:username}", True),
    ],
)
def test_an_operator_compares(operator: str, key: str, value: Any, expected: bool) -> None:
    assert hold({operator: {key: value}}, CONTEXT) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("Bool", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("NotIpAddress", True),
        ("StringEqualsIfExists", True),
        ("BoolIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
    ],
)
def test_a_key_that_the_request_does_not_have(operator: str, expected: bool) -> None:
    assert hold({operator: {"s3:delimiter": "/"}}, CONTEXT) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("ForAnyValue:StringEquals", ["team"], True),
        ("ForAnyValue:StringEquals", ["other"], False),
        ("ForAllValues:StringEquals", ["team"], False),
        ("ForAllValues:StringEquals", ["team", "cost", "x"], True),
        ("ForAllValues:StringLike", ["*"], True),
        ("ForAllValues:StringNotEquals", ["team"], False),
        ("ForAnyValue:StringNotEquals", ["team"], True),
    ],
)
def test_set_operators_look_at_each_value(operator: str, values: list[str], expected: bool) -> None:
    assert hold({operator: {"aws:TagKeys": values}}, CONTEXT) is expected


def test_every_operator_and_every_key_must_hold() -> None:
    good, bad = {"s3:prefix": "data/*"}, {"aws:username": "bob"}
    assert hold({"StringLike": {**good, "aws:username": "a*"}}, CONTEXT)
    assert not hold({"StringLike": {**good, **bad}}, CONTEXT)
    assert not hold({"StringLike": good, "StringEquals": bad}, CONTEXT)


@pytest.mark.parametrize("operator", ["StringMatches", "ForSomeValues:StringEquals", "IfExists", ""])
def test_an_unknown_operator_is_an_error_that_names_it_and_never_a_match(operator: str) -> None:
    with pytest.raises(PolicyError, match=rf"condition operator {operator} is not known"):
        hold({operator: {"s3:prefix": "data/train"}}, CONTEXT)


def test_an_unknown_operator_is_found_behind_one_that_does_not_hold() -> None:
    with pytest.raises(PolicyError, match="StringMatches"):
        hold({"StringEquals": {"aws:username": "bob"}, "StringMatches": {"s3:prefix": "x"}}, CONTEXT)
