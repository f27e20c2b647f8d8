"""What the model server does on this machine, beside the raw model and other servers; prints Markdown tables.

    python benchmarks/serving.py [--models m1,m2,m3] [--seconds 2] [--connections 1,8,64] [--chart docs/serving.svg]

Nothing else should run meanwhile: a window during which others used the machine is repeated, and marked in the end.
LitServe is measured where it is installed (benchmarks/README.md says how).
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

# Before this folder, whose `serving` is not the one that is measured.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import cores, headline
from benchmarks.serving import chart, report, runs
from benchmarks.serving.models import MODELS, write_artifact
from benchmarks.serving.servers import JSON, Contender, ours, peer


def contenders() -> list[Contender]:
    """Ours by engine, and the peers that are installed, with the settings that were best for them."""
    found = [ours("torch"), ours("onnx"), peer("fastapi", "FastAPI, micro-batcher", WORKERS=str(cores()))]
    if importlib.util.find_spec("litserve"):
        found.append(peer("litserve", "LitServe", (JSON,), WORKERS="1"))
    return found


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description="Measure the model server.")
    parser.add_argument("--models", default=",".join(MODELS), help=f"of {', '.join(MODELS)}, with commas between")
    parser.add_argument("--connections", default="1,8,64", help="of the closed loop (default: 1,8,64)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one window (default: 2)")
    parser.add_argument("--chart", type=Path, help="also draw the rates into this SVG file")
    given = parser.parse_args()
    given.models = given.models.split(",")
    given.connections = [int(word) for word in given.connections.split(",")]
    if unknown := set(given.models) - set(MODELS):
        parser.error(f"--models: {', '.join(sorted(unknown))} is unknown; there are {', '.join(MODELS)}")
    return given


def main() -> None:
    """Measure and print."""
    given = arguments()
    print(f"{headline()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-serving-") as folder:
        for name in given.models:
            write_artifact(name, Path(folder) / name)
        plan = runs.Plan(artifacts=Path(folder), connections=tuple(given.connections), seconds=given.seconds)
        results = [runs.measure(name, contenders(), plan) for name in given.models]
    report.show(results)
    if given.chart:
        chart.draw(report.document(headline(), results), given.chart)


if __name__ == "__main__":
    main()
