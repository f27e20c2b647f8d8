"""Installs this provider as the plugin `aws` in a PULUMI_HOME of its own, so that the real one is never replaced.

    python -m localaws.pulumi_provider.install --pulumi "$(which pulumi)" --home "$PULUMI_HOME" --version 7.51.1

The plugin is a script that starts this very interpreter; it is installed again only when interpreter or checkout moved.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

EXECUTABLE = "pulumi-resource-aws"
INSTALL_TIMEOUT_SECONDS = 60


def install(pulumi: Path, home: Path, version: str) -> None:
    """Makes `pulumi` find this provider under `home`. Raises RuntimeError with Pulumi's own words if it refuses."""
    if installed_script(home, version) == script():
        return
    with tempfile.TemporaryDirectory() as folder:
        executable = Path(folder) / EXECUTABLE
        executable.write_text(script())
        executable.chmod(0o755)
        command = [str(pulumi), "plugin", "install", "resource", "aws", f"v{version}", "--file", folder, "--reinstall"]
        environment = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_SECONDS)
    if done.returncode != 0 or installed_script(home, version) != script():
        raise RuntimeError(f"{shlex.join(command)} failed with exit code {done.returncode}: {done.stderr.strip()}")


def script() -> str:
    """The plugin's executable: this interpreter, and the folder that this package was imported from."""
    root = Path(__file__).resolve().parents[2]
    return (
        "#!/bin/sh\n"
        f'export PYTHONPATH={shlex.quote(str(root))}"${{PYTHONPATH:+:$PYTHONPATH}}"\n'
        f'exec {shlex.quote(sys.executable)} -m localaws.pulumi_provider "$@"\n'
    )


def installed_script(home: Path, version: str) -> str | None:
    """The installed plugin's executable as text, or None."""
    path = home / "plugins" / f"resource-aws-v{version}" / EXECUTABLE
    return path.read_text() if path.is_file() else None


def main() -> None:
    """Command line of `install`."""
    parser = argparse.ArgumentParser(description="Install the embedded AWS' provider into a PULUMI_HOME.")
    parser.add_argument("--pulumi", type=Path, required=True, help="the pulumi executable")
    parser.add_argument("--home", type=Path, required=True, help="PULUMI_HOME of the installation")
    parser.add_argument("--version", required=True, help="version of pulumi-aws that programs use, such as 7.51.1")
    arguments = parser.parse_args()
    install(arguments.pulumi, arguments.home, arguments.version)


if __name__ == "__main__":
    main()
