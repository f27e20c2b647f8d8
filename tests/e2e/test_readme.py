"""Every command of the README runs: `sh` blocks in order in a checkout; of those that need an account, the options."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.checkout import ROOT, Checkout
from tests.e2e.updates.cases import QUICK

README = (ROOT / "README.md").read_text()
# `make` sets up and tests this very environment; its targets are checked to exist, and are run by whoever tests this.
BY_MAKE = re.compile(r"^make (\w+)$", re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_commands_run_in_order_in_one_shell(checkout: Checkout) -> None:
    checkout.configure(training=QUICK)  # the commands are under test, not the training
    script = "\n".join(block for block in blocks("sh") if not BY_MAKE.search(block))
    # A port of its own: a developer's embedded AWS may be running on the usual one.
    assert "slipway local start\n" in script
    script = script.replace("slipway local start\n", "slipway local start --port 0\n")
    done = checkout.shell(script)
    assert done.code == 0, done.text
    assert "none: nothing of slipway-local exists" in done.out
    assert done.out.count('{"predictions":[{"label":"0"') == 1


def test_the_targets_of_make_exist() -> None:
    names = [name for block in blocks("sh") for name in BY_MAKE.findall(block)]
    assert names == ["demo", "test"]
    for name in names:
        subprocess.run(["make", "--dry-run", name], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("line", [line for block in blocks("console") for line in block.splitlines()])
def test_commands_that_need_an_account_have_the_options_they_are_given(line: str, pulumi_bin: Path) -> None:
    program, *words = line.split()
    folder = pulumi_bin if program == "pulumi" else Path(sys.prefix) / "bin"
    verbs = [word for word in words if re.fullmatch(r"init|preflight|cost|preview|up|verify|invoke|down", word)]
    done = subprocess.run([folder / program, *verbs, "--help"], capture_output=True, text=True, check=True)
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout


def test_the_files_it_names_exist() -> None:
    for path in re.findall(r"\]\((docs/[^)]+)\)", README) + re.findall(r"^\| `(\w+/)`", README, re.MULTILINE):
        assert (ROOT / path).exists(), path
