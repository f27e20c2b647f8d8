"""What a function's process finds on disk: its unpacked code, and the libraries that AWS's runtime brings along.

Nothing else of this machine can be imported: a function that would miss a package in AWS misses it here.
"""

import importlib.util
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

from localaws.cloud import Cloud

# What the Python runtimes of AWS have beside the standard library: boto3 and what it needs.
RUNTIME_LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


def check(content: bytes) -> bool:
    """Whether this is a zip archive that can be unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError):
        return False


def unpack(cloud: Cloud, function: Any) -> Path:
    """The function's code in a fresh folder."""
    folder = cloud.folder("functions", function.region, function.function_name)
    with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
        archive.extractall(folder)
    return folder


def libraries(cloud: Cloud) -> Path:
    """A folder of links to the runtime's libraries, as this interpreter has them."""
    folder = cloud.state / "functions" / f"runtime-{sys.version_info.major}.{sys.version_info.minor}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in RUNTIME_LIBRARIES:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None, name
        origin = Path(spec.origin)
        target = origin.parent if origin.name == "__init__.py" else origin
        link = folder / target.name
        if not link.is_symlink():
            link.symlink_to(target)
    return folder
