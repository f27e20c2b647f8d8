"""Bundled data sets: real data that an installed package carries, found without importing that package."""

import importlib.util
from pathlib import Path

BUNDLED = {"digits": ("sklearn", "datasets/data/digits.csv.gz")}


def bundled_file(name: str) -> Path:
    """The file of a bundled data set.

    Raises FileNotFoundError, with what to install, when its package is absent.
    """
    package, inside = BUNDLED[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"data set {name!r} is part of the package {package!r}, which is not installed; "
            "install the extra `ml`, or set slipway:data to an s3:// prefix"
        )
    return Path(spec.origin).parent / inside
