"""The official clients against one localaws, with nothing set but its address (and any keys)."""

import os
from collections.abc import Iterator

import pytest

from tests.unit.localaws.aws import REGION, Aws, running


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with running() as (url, _):
        yield Aws(url)


@pytest.fixture
def client_environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a client, also set in this process."""
    for name, value in (("AWS_ENDPOINT_URL", aws.url), ("AWS_DEFAULT_REGION", REGION), ("AWS_REGION", REGION)):
        monkeypatch.setenv(name, value)
    return dict(os.environ)
