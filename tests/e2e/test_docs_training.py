"""The commands of docs/training.md and docs/data.md run, in order, each page in a folder of its own."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("training", "data")
LIMIT_SECONDS = 350


@pytest.mark.rehearsal
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_run(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert "python -m training" in script
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / ".venv" / "bin" / "activate", tmp_path / ".venv" / "bin")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("SAGEMAKER_BASE_DIR", None)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_of_hyperparameters_is_current() -> None:
    from training.options_page import page

    assert (ROOT / "docs" / "hyperparameters.md").read_text() == page(), (
        "run: python -m training.options_page > docs/hyperparameters.md"
    )
