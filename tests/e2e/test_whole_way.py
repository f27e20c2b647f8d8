"""The product's main story by the real engine: up, ask, nothing to do, down, nothing left."""

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from slipway.invoke import read_manifest
from tests.e2e.checkout import Checkout


def examples(checkout: Checkout) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_manifest(checkout.stack(), checkout.outputs()["artifact"])["examples"]
    return found


def ask_in_every_format(checkout: Checkout, example: dict[str, Any], folder: Path) -> None:
    picture = np.asarray(example["instance"], np.float32)
    np.save(folder / "digit.npy", picture)
    (folder / "digit.csv").write_text(",".join(str(value) for value in picture.ravel()) + "\n")
    (folder / "digit.json").write_text(json.dumps({"instances": [example["instance"]]}))
    Image.fromarray((picture / 16 * 255).astype(np.uint8)).save(folder / "digit.png")
    for name in ("digit.json", "digit.npy", "digit.csv", "digit.png"):
        reply = json.loads(checkout.ok("slipway", "invoke", str(folder / name)))
        assert reply["predictions"][0]["label"] == example["target"], name
    assert checkout.ok("slipway", "invoke", "--accept", "text/csv").startswith(example["target"] + ",")
    (folder / "short.csv").write_text("1,2,3\n")
    refused = checkout.run("slipway", "invoke", str(folder / "short.csv"))
    assert refused.code == 1 and "(400)" in refused.err and "64" in refused.err
    runtime = checkout.aws("sagemaker-runtime")
    arguments = {"EndpointName": "slipway-local", "Body": (folder / "digit.npy").read_bytes()}
    reply = runtime.invoke_endpoint(**arguments, ContentType="application/x-npy", Accept="application/x-npy")
    scores = np.load(io.BytesIO(reply["Body"].read()))
    assert scores.shape == (1, 10) and scores.argmax() == int(example["target"])


def test_up_ask_up_again_destroy(running: Checkout, tmp_path: Path) -> None:
    first = running.up()
    assert first.code == 0, first.text
    before = running.outputs()
    example = examples(running)[0]
    ask_in_every_format(running, example, tmp_path)

    again = running.up("--expect-no-changes")
    assert again.code == 0, again.text
    assert running.outputs() == before

    running.ok("pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive")
    assert "none: nothing of slipway-local exists" in running.ok("slipway", "leaks")
    deadline = time.monotonic() + 40  # a server may take its 30 s to drain
    while processes(running) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes(running) == 0


def processes(checkout: Checkout) -> int:
    count: int = json.loads(checkout.ok("slipway", "local", "status", "--json"))["processes"]
    return count
