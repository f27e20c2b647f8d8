"""One embedded AWS whose clock moves only when a test moves it; each test has a stack of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.guardian.stage import Stage, image
from tests.unit.localaws.aws import Aws, running


@pytest.fixture(scope="package")
def stepped() -> Iterator[Aws]:
    with running() as (url, _):
        found = Aws(url)
        found.post("/_localaws/clock", {"mode": "stepped"})
        yield found


@pytest.fixture(scope="package")
def stage_image(stepped: Aws) -> str:
    return image(stepped)


@pytest.fixture
def stage(stepped: Aws, stage_image: str) -> Callable[..., Stage]:
    def make(**facts: Any) -> Stage:
        return Stage(stepped, stage_image, **facts)

    return make
