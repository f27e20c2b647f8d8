"""The demo, whole and interrupted: it shows every step, and it leaves neither process nor folder."""

import re
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.checkout import TIMEOUT_SECONDS, Checkout

STEPS = ["embedded AWS", "resources", "image", "training", "endpoint", "in service", "example", "scaling", "alarms",
         "latency", "inventory", "jobs", "contents", "teardown", "records", "leak check", "stop"]  # fmt: skip


def left_of_demos(checkout: Checkout) -> list[str]:
    scratch = checkout.folder / ".slipway"
    return [path.name for path in scratch.glob("demo-*")] if scratch.exists() else []


def test_the_demo_shows_the_whole_way_in_plain_lines_and_leaves_nothing(checkout: Checkout) -> None:
    out = checkout.ok("slipway", "demo")
    assert re.findall(r"^(\S.*?)\s+ok\s+\d+\.\d s  \S", out, re.MULTILINE) == STEPS
    assert "\x1b" not in out
    assert re.search(r"^  epoch=20/20 step=440/440 loss=", out, re.MULTILINE)
    accuracy = re.search(r"test_accuracy=(0\.\d+)", out)
    assert accuracy and float(accuracy[1]) >= 0.99
    assert len(re.findall(r"^says (\d) \(\d+%\), is \1$", out, re.MULTILINE)) == 4
    assert re.search(r"p50 \d+\.\d ms, p99 \d+\.\d ms over 200 calls", out)
    assert re.search(r"endpoint +slipway-local +slipway-dev$", out, re.MULTILINE)
    assert "nothing left of slipway-local" in out
    assert left_of_demos(checkout) == [] and checkout.processes() == []


@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        ("", signal.SIGINT),  # as it starts
        ("embedded AWS ok", signal.SIGTERM),  # while resources are made
        pytest.param("  epoch=1/", signal.SIGINT, marks=pytest.mark.rehearsal),  # while the job trains
        pytest.param("training     ok", signal.SIGTERM, marks=pytest.mark.rehearsal),  # while the endpoint starts
    ],
)
def test_an_interrupted_demo_leaves_nothing(checkout: Checkout, moment: str, sent: signal.Signals) -> None:
    process = checkout.popen("slipway", "demo", start_new_session=True)
    assert process.stdout
    if moment:
        for line in process.stdout:
            if line.startswith(moment):
                break
        else:
            raise AssertionError(f"{moment!r} never came: {process.communicate()}")
    else:
        _wait_for_folder(checkout)
    process.send_signal(sent)
    _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130
    assert err.strip().endswith("slipway: interrupted; nothing was left running")
    assert left_of_demos(checkout) == [] and checkout.processes() == []


def _wait_for_folder(checkout: Checkout) -> None:
    deadline = time.monotonic() + 30
    while not left_of_demos(checkout) and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_demo_does_not_disturb_a_running_embedded_aws(checkout: Checkout, tmp_path: Path) -> None:
    """Its embedded AWS is not the one of `slipway local`: both can run."""
    checkout.start()
    before = checkout.ok("slipway", "local", "status", "--json")
    process = checkout.popen("slipway", "demo")
    assert process.stdout
    assert "embedded AWS ok" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT_SECONDS)
    assert checkout.ok("slipway", "local", "status", "--json") == before
