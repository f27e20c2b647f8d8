"""boto3 clients with a role's keys: what a process of the role may do, tried on a running localaws.

clients = RoleClients(url, role_arn)
clients.client("s3").get_object(...)       # AccessDenied, or not
denied(lambda: clients.client("s3").list_buckets())  # the sentence of the refusal; fails if it was allowed
"""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# How services and protocols call a denial; S3's answers to HEAD have only their status.
DENIALS = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403")


def role_keys(url: str, role_arn: str) -> dict[str, str]:
    """The keys of a role as keyword arguments of boto3.client; no trust policy is asked."""
    body = json.dumps({"role": role_arn}).encode()
    request = urllib.request.Request(f"{url}/_localaws/credentials", data=body, method="POST")
    with urllib.request.urlopen(request) as answer:
        found: dict[str, str] = {name.lower(): value for name, value in json.load(answer).items()}
    return found


class RoleClients:
    """boto3 clients of one role, each made once."""

    def __init__(self, url: str, role_arn: str, region: str = "us-east-1") -> None:
        self.role = role_arn
        self._options: dict[str, Any] = {"endpoint_url": url, "region_name": region, **role_keys(url, role_arn)}
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"max_attempts": 0})
            self._clients[service] = boto3.client(service, config=config, **self._options)
        return self._clients[service]


def denied(call: Callable[[], object]) -> str:
    """The sentence with which AWS refuses the call. Fails when it is allowed or fails for another reason."""
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in DENIALS, f"refused, but not by IAM: {error}"
        return str(error.response["Error"]["Message"])
    raise AssertionError("the call was allowed")
