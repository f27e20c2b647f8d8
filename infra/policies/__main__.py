"""What the engine starts for `--policy-pack infra/policies`. It serves until the engine ends it."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Python put this folder first, where `infra` cannot be found and our file names could hide packages.
sys.path[:] = [str(HERE.parents[1]), *(entry for entry in sys.path if entry != "." and Path(entry).resolve() != HERE)]

from pulumi_policy import PolicyPack  # noqa: E402

from infra.policies.pack import NAME, policies  # noqa: E402

if __name__ == "__main__":
    PolicyPack(NAME, policies())
