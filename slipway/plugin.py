"""Puts the light AWS provider where the engine of the local stacks finds it.

python -m slipway.plugin
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version

from slipway import pulumi_cli
from slipway.errors import SlipwayError
from slipway.local import pulumi_home


def ensure_plugin(environment: Mapping[str, str]) -> None:
    """Install `localaws.pulumi_provider` as plugin `aws` into PULUMI_HOME; quick when it is there.

    The version is that of the installed pulumi-aws, because the engine asks for exactly that one.
    """
    folder = pulumi_cli.find()
    if folder is None:
        raise SlipwayError("no Pulumi CLI; get it: python -m slipway.pulumi_cli")
    where = ["--pulumi", str(folder / "pulumi"), "--home", environment["PULUMI_HOME"]]
    command = [sys.executable, "-m", "localaws.pulumi_provider.install", *where, "--version", version("pulumi-aws")]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True)
    if done.returncode:
        raise SlipwayError(f"installing the light AWS provider failed:\n{done.stderr.strip()}")


if __name__ == "__main__":
    ensure_plugin({**os.environ, "PULUMI_HOME": str(pulumi_home())})
