"""One localaws for all tests of this folder, and two with a stepped clock; names are unique, so they do not meet."""

from collections.abc import Iterator

import pytest

from tests.unit.localaws.aws import Aws, running
from tests.unit.localaws.money import priced


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with running() as (url, _):
        yield Aws(url)


@pytest.fixture(scope="session")
def stepped() -> Iterator[Aws]:
    """Its clock moves only when a test advances it. Whoever uses it leaves nothing running."""
    with running() as (url, _):
        found = Aws(url)
        found.post("/_localaws/clock", {"mode": "stepped"})
        yield found


@pytest.fixture(scope="session")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """It has a price book, and its clock is stepped as that of `stepped`."""
    with priced(tmp_path_factory.mktemp("prices")) as found:
        yield found
