"""AWS applies a bucket policy's statement only when its conditions hold; the loopback stands for TLS."""

from typing import Any

import pytest

from localaws.s3_policy import applies


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"AWS:securetransport": ["false"]}}, False),
        ({"BoolIfExists": {"aws:SecureTransport": False}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "1"}}, True),
    ],
)
def test_a_tls_only_statement_does_not_deny_the_loopback(condition: dict[str, Any], expected: bool) -> None:
    assert applies({"Effect": "Deny", "Condition": condition}) is expected
