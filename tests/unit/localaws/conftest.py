"""One localaws for all tests of this folder; names are unique, so the tests do not meet."""

from collections.abc import Iterator

import pytest

from tests.unit.localaws.aws import Aws, running


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with running() as (url, _):
        yield Aws(url)
