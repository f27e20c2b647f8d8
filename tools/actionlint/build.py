"""actionlint, which checks the workflow files: built once per machine from its Go module, into Slipway's cache.

    .venv/bin/python tools/actionlint/build.py      prints where it is

Its PyPI package downloads a binary from GitHub, which a machine behind a module proxy cannot reach.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from slipway.pulumi_cli import cache_folder, go_environment, go_toolchain

HERE = Path(__file__).resolve().parent
COMMAND = "github.com/rhysd/actionlint/cmd/actionlint"


def ensure() -> Path:
    """The program, built if it is not in the cache."""
    version = re.search(r"rhysd/actionlint (v[\d.]+)", (HERE / "go.mod").read_text())
    assert version, "go.mod names no version of actionlint"
    target = cache_folder().parents[1] / f"actionlint-{version[1]}"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="part-", dir=target.parent))
    try:
        command = [go_toolchain(scratch / "go"), "build", "-ldflags", "-s -w", "-o", str(scratch / "built"), COMMAND]
        subprocess.run(command, cwd=HERE, env=go_environment(scratch / "go"), check=True, stdout=sys.stderr)
        (scratch / "built").replace(target)  # whole or not at all, also when two build at once
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


if __name__ == "__main__":
    print(ensure())
