"""No test may reach AWS: fake keys, no profile, no instance metadata."""

import os
import sys

import pytest

FAKE = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}
UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION", "SLIPWAY_STACK")

LONGEST = (
    "e2e/updates",
    "test_readme",
    "test_runs",
    "test_bad_input",
    "test_prod",
    "test_least",
    "provider",
    "test_ci",
)

EXIT_STATUS = pytest.StashKey[int]()


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FAKE.items():
        monkeypatch.setenv(name, value)
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin each worker's share with a share of the long tests, so that none is alone with one at the end.

    `--dist worksteal` gives every worker an equal stretch of the list.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    long = sorted((item for item in items if "/e2e/" in item.nodeid), key=_shorter)
    short = [item for item in items if "/e2e/" not in item.nodeid]
    share = len(items) / workers
    items.clear()
    for worker in range(workers):
        items += long[worker::workers]
        rest = round(share * (worker + 1)) - len(items)
        items += short[:rest]
        del short[:rest]
    items += short


def _shorter(item: pytest.Item) -> int:
    """Orders the end-to-end tests, the longest first."""
    return next((place for place, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End here. An orderly exit takes two seconds more and lets torch's compiler print pages about its own leaks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.stash.get(EXIT_STATUS, 1))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[EXIT_STATUS] = int(exitstatus)
