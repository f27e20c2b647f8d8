"""The update matrix, by the real engine: for each change the expected operations, no failed call, nothing left over."""

import io
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from slipway.verify import verify
from slipway.view import Steps
from tests.e2e.asking import ask_in_every_format, examples
from tests.e2e.checkout import Checkout
from tests.e2e.client import Client
from tests.e2e.updates import table
from tests.e2e.updates.cases import GROUPS, QUICK, Change
from tests.e2e.updates.engine_log import Update, up

EVERYDAY = 3  # ordinary changes, the first ones, that every run of the tests makes


@pytest.mark.parametrize(
    "group", ["everyday", *(pytest.param(group, marks=pytest.mark.rehearsal) for group in ("ordinary", "guarded"))]
)
def test_each_change_does_what_the_table_says(running: Checkout, tmp_path: Path, group: str) -> None:
    # A busy machine must not call a deployment back.
    running.configure(training=QUICK, monitoring={"p99_latency_ms": 60_000})
    first_up_and_another_at_once(running)
    example = examples(running)[0]
    for change in GROUPS["ordinary"][:EVERYDAY] if group == "everyday" else GROUPS[group]:
        # What the change before left undone would be among the operations of this one.
        proven(running, change, json.dumps({"instances": [example["instance"]]}).encode(), tmp_path)
    running.ok("pulumi", "preview", "--expect-no-changes", "--non-interactive")
    if group != "guarded":
        ask_in_every_format(running, example, tmp_path)
        destroyed(running)


def first_up_and_another_at_once(checkout: Checkout) -> None:
    """The second one ends at once and names who holds the lock."""
    first = checkout.popen("pulumi", "up", "--yes", "--skip-preview", "--non-interactive")
    try:
        deadline = time.monotonic() + 60
        while not list(checkout.folder.glob("**/locks/**/*.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        second = checkout.run("slipway", "train")
    finally:
        out, err = first.communicate(timeout=120)
    assert first.returncode == 0, out + err
    assert second.code == 1 and "stack local is being changed by" in second.err, second.text
    assert f"(pid {first.pid})" in second.err and "slipway unlock" in second.err


def destroyed(checkout: Checkout) -> None:
    checkout.ok("pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive")
    assert "nothing left of slipway-local" in checkout.ok("slipway", "down")
    deadline = time.monotonic() + 40  # a server may take its 30 s to drain
    while (left := processes(checkout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == 0


def processes(checkout: Checkout) -> int:
    count: int = json.loads(checkout.ok("slipway", "local", "status", "--json"))["processes"]
    return count


def proven(checkout: Checkout, change: Change, body: bytes, folder: Path) -> None:
    """Make one change under load, and compare what the engine did with the table."""
    before = checkout.outputs()
    change.apply(checkout)
    options = ["--refresh"] if change.name == "refresh" else []
    client = Client(checkout, "slipway-local", body)
    with client, meanwhile(checkout, change):
        update = up(checkout, folder, *options)
        if not change.downtime:
            client.more(20)
    assert change.downtime or not client.failures, (change.name, client.failures[:3])
    ended(checkout, change, update, before["endpoint_config"])
    observed = {"operations": list(update.operations)}
    if os.environ.get("UPDATE_GOLDEN"):
        table.write(change.name, observed)
    assert stages(update.operations) == stages(table.read()[change.name]["operations"]), change.name


def stages(operations: object) -> tuple[list[str], list[str]]:
    """All that was done, and the order of what serves; independent resources have no order of their own."""
    done = list(operations)  # type: ignore[call-overload]
    chain = ("model", "endpoint configuration", "endpoint", "target")
    return sorted(done), [one for one in done if one.split(" ", 1)[1] in chain or one == "create training job"]


def ended(checkout: Checkout, change: Change, update: Update, served_before: str) -> None:
    if change.fails:
        # The provider may look while the endpoint goes back, a status that it does not expect.
        told = change.fails in update.done.text or "RollingBack" in update.done.text
        assert update.done.code != 0 and told, f"{change.name}: {update.done.text}"
        found = checkout.aws("sagemaker").describe_endpoint(EndpointName="slipway-local")
        assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", served_before)
        return
    assert update.done.code == 0, f"{change.name}: {update.done.text}"
    verify(checkout.stack(), Steps(Console(file=io.StringIO())))
    outputs, sagemaker = checkout.outputs(), checkout.aws("sagemaker")
    assert [one["ModelName"] for one in sagemaker.list_models()["Models"]] == [outputs["model"]]
    configs = [one["EndpointConfigName"] for one in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    assert configs == [outputs["endpoint_config"]]
    endpoints = [one["EndpointName"] for one in sagemaker.list_endpoints()["Endpoints"]]
    assert endpoints == ([outputs["endpoint"]] if "endpoint" in outputs else [])


@contextmanager
def meanwhile(checkout: Checkout, change: Change) -> Iterator[None]:
    """Runs what somebody else does during the change, once the endpoint is being updated."""
    act = change.during
    if act is None:
        yield
        return

    def wait_and_act() -> None:
        sagemaker, deadline = checkout.aws("sagemaker"), time.monotonic() + 60
        while time.monotonic() < deadline:
            if sagemaker.describe_endpoint(EndpointName="slipway-local")["EndpointStatus"] == "Updating":
                act(checkout)
                return
            time.sleep(0.1)

    thread = threading.Thread(target=wait_and_act, daemon=True)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()


def test_the_page_is_what_was_observed() -> None:
    assert table.PAGE.read_text() == table.page()
    assert set(GROUPS) == {"ordinary", "guarded"}
    assert set(table.read()) == {change.name for changes in GROUPS.values() for change in changes}
