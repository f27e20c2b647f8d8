"""One hash over the sources that decide what is trained and how it is stored: `code_sha256` of the manifest."""

import hashlib
from pathlib import Path

from inference import artifact

PACKAGES = (Path(__file__).parent.parent, Path(artifact.__file__).parent)


def source_sha256() -> str:
    """Over every `*.py` below training/ and inference/, by their paths and contents; 64 hex digits."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            digest.update(f"{package.name}/{path.relative_to(package).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
