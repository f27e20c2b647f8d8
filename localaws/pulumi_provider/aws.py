"""Calls to the embedded AWS: clients, errors with their operation's name, and the guard that the host is this machine.

The guard is the reason why this provider can never touch a real account: every client's resolved address must be
loopback, whatever the environment, the AWS config file or the provider's inputs say.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localaws.pulumi_provider.bind import SESSION, SESSION_LOCK
from localaws.pulumi_provider.schema import ResourceType

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 300  # an upload or a build step may keep the embedded AWS busy
POOL_CONNECTIONS = 32  # the engine works on many resources at once


class NotLoopbackError(Exception):
    """An address that is not on this machine."""


class CallError(Exception):
    """An AWS operation answered with an error, or did not answer. The text is `Operation: Code: message`."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation}: {code}: {message}")
        self.code = code
        self.message = message

    def matches(self, patterns: tuple[str, ...]) -> bool:
        """Whether the error is one of `Code` or `Code:part of the message`."""
        split = (pattern.partition(":") for pattern in patterns)
        return any(self.code == code and part in self.message for code, _, part in split)


def require_loopback(url: str, source: str) -> None:
    """Raises NotLoopbackError unless the URL's host is 127.0.0.0/8, ::1 or localhost."""
    host = urlsplit(url).hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    if not loopback:
        raise NotLoopbackError(
            f"{source} is {url!r}; this provider only talks to an embedded AWS on this machine. "
            "Start `python -m localaws` and set AWS_ENDPOINT_URL to the address that it prints, "
            "or install the real pulumi-aws plugin for a real account"
        )


@dataclass(frozen=True, kw_only=True)
class Aws:
    """The account and region that the provider works in, and its clients."""

    region: str
    credentials: Mapping[str, str] = field(default_factory=dict)  # keyword arguments of create_client
    endpoints: Mapping[str, str] = field(default_factory=dict)  # URL by botocore service name
    _clients: dict[tuple[str, str], BaseClient] = field(default_factory=dict)

    def client(self, service: str, region: str) -> BaseClient:
        """The one client for a service and region. Raises NotLoopbackError for an address outside this machine."""
        with SESSION_LOCK:
            if (service, region) not in self._clients:
                client = SESSION.create_client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoints.get(service),
                    config=_client_config(),
                    **self.credentials,
                )
                require_loopback(client.meta.endpoint_url, f"the {service} endpoint")
                self._clients[service, region] = client
            return self._clients[service, region]


def _client_config() -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        max_pool_connections=POOL_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 2},
        s3={"addressing_style": "path"},
        parameter_validation=True,
    )


@dataclass(frozen=True, kw_only=True)
class Context:
    """One resource's work: its row, where it happens, and whether the engine has been told to stop."""

    aws: Aws
    row: ResourceType
    region: str
    timeout_seconds: float | None = None  # what the program allows; None: the row's own limit
    cancelled: threading.Event = field(default_factory=threading.Event)

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of one operation, all pages of it. Raises CallError."""
        return call(self.client(), operation, params)

    def client(self) -> BaseClient:
        """The client of the row's service in the resource's region."""
        return self.aws.client(self.row.service, self.region)


def call(client: BaseClient, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """One operation by its API name; the pages of a paginated answer are joined. Raises CallError."""
    method = client.meta.method_to_api_mapping
    python_name = next(name for name, api in method.items() if api == operation)
    try:
        if client.can_paginate(python_name):
            return dict(client.get_paginator(python_name).paginate(**params).build_full_result())
        return dict(getattr(client, python_name)(**params))
    except ClientError as error:
        details = error.response["Error"]
        raise CallError(operation, details.get("Code", "Unknown"), details.get("Message", "")) from error
    except BotoCoreError as error:
        raise CallError(operation, type(error).__name__, str(error)) from error
