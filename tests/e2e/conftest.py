"""Checkouts that are stopped, and proven to have left no process, when their test ends."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway import pulumi_cli
from tests.e2e.checkout import Checkout
from tests.unit.localaws import aws as embedded


@pytest.fixture(scope="session")
def pulumi_bin() -> Path:
    """The folder of the Pulumi CLI; `make test` has put it there."""
    folder = pulumi_cli.find()
    assert folder, "no Pulumi CLI: run tools/setup.sh dev"
    return folder


@pytest.fixture(scope="module")
def aws() -> Iterator[embedded.Aws]:
    """The embedded AWS without the Pulumi program around it."""
    with embedded.running() as (url, _):
        yield embedded.Aws(url)


@pytest.fixture
def checkout(tmp_path: Path, pulumi_bin: Path) -> Iterator[Checkout]:
    """A fresh checkout, nothing running."""
    made = Checkout(tmp_path / "checkout")
    yield made
    made.stop()
    left = made.processes()
    shutil.rmtree(made.folder, ignore_errors=True)
    assert not left, f"processes outlived the test: {left}"


@pytest.fixture
def running(checkout: Checkout) -> Checkout:
    """A fresh checkout with its embedded AWS running and in the environment."""
    checkout.start()
    return checkout
