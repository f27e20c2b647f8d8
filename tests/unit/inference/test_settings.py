"""Settings and what the machine allows."""

from pathlib import Path

import pytest

from inference.machine import cpu_limit
from inference.settings import SettingsError, read_settings


def test_defaults_and_values() -> None:
    assert read_settings({}).model_folder == Path("/opt/ml/model")
    assert read_settings({}).max_body_bytes == 25 * 2**20
    settings = read_settings(
        {"SAGEMAKER_BASE_DIR": "/x", "SAGEMAKER_BIND_TO_PORT": "9", "SLIPWAY_IDLE_TIMEOUT_SECONDS": "0.5"}
    )
    assert (settings.model_folder, settings.port, settings.idle_timeout) == (Path("/x/model"), 9, 0.5)


def test_every_bad_variable_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"SAGEMAKER_BIND_TO_PORT": "http", "SLIPWAY_MAX_BODY_MIB": "0", "SLIPWAY_MAX_BATCH": "1.5"})
    text = str(caught.value)
    assert "SAGEMAKER_BIND_TO_PORT is 'http'; set it to a whole number from 1 to 65535" in text
    assert "SLIPWAY_MAX_BODY_MIB is '0'" in text and "SLIPWAY_MAX_BATCH is '1.5'" in text


@pytest.mark.parametrize(("text", "limit"), [("max 100000", 64), ("50000 100000", 1), ("150000 100000", 2)])
def test_the_cgroups_quota_limits_the_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, limit: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(64)), raising=False)
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert cpu_limit(tmp_path / "cpu.max") == limit
    assert cpu_limit(tmp_path / "absent") == 64
