"""The program under mocks, with the settings of a stack in this checkout."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.__main__ import program
from infra.settings import read_settings
from tests.infra.recorder import Declared, FakeActions, record

ROOT = Path(__file__).resolve().parents[2]
Recorded = tuple[list[Declared], dict[str, Any], FakeActions]


def recorded(
    preview: bool = False,
    unknown: bool = False,
    secret_keys: Collection[str] = (),
    approved: bool = True,
    **changes: Any,
) -> Recorded:
    """What the program declares for Pulumi.dev.yaml with some keys changed (None removes one).

    `unknown`: in the preview of a stack that was never made. `approved`: a run is, or something is served already.
    """
    config = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    config |= {f"slipway:{key}": value for key, value in changes.items()}
    settings, region = read_settings(
        {key: value for key, value in config.items() if value is not None}, "slipway", "dev", {}, secret_keys
    )
    actions = FakeActions()
    actions.approved = approved
    declared, exports = record(
        lambda: program(settings, region, actions, secret_keys), preview=preview, unknown=unknown
    )  # type: ignore[arg-type]
    return declared, exports, actions


@pytest.fixture
def declare() -> Callable[..., Recorded]:
    return recorded
