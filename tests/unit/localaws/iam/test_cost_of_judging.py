"""What the gate costs a request: next to nothing for the administrator, far below 2 ms for a role's invocation."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import GLOBAL, Cloud, backend
from localaws.iam import enforce, sessions
from tests.unit.localaws.aws import unique
from tests.unit.localaws.iam.policy_texts import allow, document

SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential={key}/20261121/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(state=tmp_path)
    yield made
    made.close()


def best_seconds(cloud: Cloud, key: str) -> float:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/endpoints/mine/invocations",
        "QUERY_STRING": "",
        "HTTP_AUTHORIZATION": SIGNATURE.format(key=key),
        "REMOTE_ADDR": "127.0.0.1",
    }
    found = []
    for _ in range(200):
        began = time.perf_counter()
        assert enforce.refuse(cloud, environ, lambda: b"") is None
        found.append(time.perf_counter() - began)
    return min(found)


def test_the_administrator_pays_next_to_nothing(cloud: Cloud) -> None:
    assert best_seconds(cloud, "test") < 0.000_05


def test_an_invocation_of_a_role_with_many_statements_is_judged_in_less_than_a_millisecond(cloud: Cloud) -> None:
    statements = [allow(f"s3:Get{n}", f"arn:aws:s3:::b{n}/*") for n in range(20)]
    name, iam = unique("busy"), backend("iam", GLOBAL)
    role = iam.create_role(name, json.dumps(document()), "/", None, "", [], "3600", None)
    iam.put_role_policy(name, "own", json.dumps(document(*statements, allow("sagemaker:InvokeEndpoint"))))
    try:
        key = sessions.start(cloud, role.arn, "test").access_key_id
        assert best_seconds(cloud, key) < 0.001
    finally:
        iam.delete_role_policy(name, "own")
        iam.delete_role(name)
