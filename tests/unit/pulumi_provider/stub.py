"""A provider context whose AWS is botocore's Stubber: every request is checked against the API model and the script."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.stub import Stubber

from localaws.pulumi_provider.aws import Aws, Context
from localaws.pulumi_provider.table import TABLE

REGION = "us-east-1"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def row(name: str) -> Any:
    """The table's row with this type name."""
    return next(entry for token, entry in TABLE.items() if token.endswith(f":{name}"))


class Script:
    """Expected calls in order: `script.answer("DescribeEndpoint", {...request...}, {...answer...})`."""

    def __init__(self, stubber: Stubber, client: Any) -> None:
        self.stubber = stubber
        self.python_names = {api: python for python, api in client.meta.method_to_api_mapping.items()}

    def answer(self, operation: str, request: Mapping[str, Any], answer: Mapping[str, Any] | None = None) -> None:
        """The next call must be this one; it gets this answer."""
        self.stubber.add_response(self.python_names[operation], answer or {}, request)

    def fail(self, operation: str, request: Mapping[str, Any], code: str, message: str) -> None:
        """The next call must be this one; it fails."""
        self.stubber.add_client_error(self.python_names[operation], code, message, expected_params=request)


@contextmanager
def scripted(name: str) -> Iterator[tuple[Context, Script]]:
    """A context for a type, and the script of its AWS; at the end every scripted call must have been made."""
    entry = row(name)
    aws = Aws(region=REGION, credentials=KEYS, endpoints={entry.service: "http://127.0.0.1:1"})
    client = aws.client(entry.service, REGION)
    with Stubber(client) as stubber:
        yield Context(aws=aws, row=entry, region=REGION, cancelled=threading.Event()), Script(stubber, client)
        stubber.assert_no_pending_responses()
