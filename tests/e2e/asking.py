"""Asks a stack's endpoint: the examples of its artifact, in every format that a user may have them in."""

import io
import json
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
    """As JSON, npy, csv and PNG; a wrong shape is refused with what was expected."""
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
