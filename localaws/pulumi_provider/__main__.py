"""The plugin's process; the engine starts it through the script that `install.py` makes:

python -m localaws.pulumi_provider 127.0.0.1:ENGINE_PORT
"""

# ruff: noqa: E402
from __future__ import annotations

import gc

gc.disable()  # while modules are imported, none of which is garbage: the engine waits for this process at every command

import importlib.metadata
import sys

from localaws.pulumi_provider.provider import Provider
from localaws.pulumi_provider.server import serve


def main(arguments: list[str]) -> int:
    """Serves the provider. Exit code 2 without an engine address, since only the engine can use it."""
    if not [argument for argument in arguments if not argument.startswith("-")]:
        print(
            "usage: python -m localaws.pulumi_provider ENGINE_ADDRESS (the Pulumi engine calls this)", file=sys.stderr
        )
        return 2
    gc.freeze()
    gc.enable()
    try:
        serve(Provider(), importlib.metadata.version("pulumi-aws"))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
