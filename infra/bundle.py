"""The source bundle: what the image is built from, as one zip that is the same for the same content.

Entries are sorted, with a fixed time and mode and no compression (zlib's output differs between versions): a zip that
moves by itself would rebuild the image, retrain the model and move the endpoint for nothing.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

CONTENT = ("Dockerfile", "pyproject.toml", "requirements.lock", "inference", "training")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can carry
EXECUTABLE, PLAIN = 0o755, 0o644


@dataclass(frozen=True, kw_only=True)
class Bundle:
    path: Path
    sha256: str


def make_bundle(root: Path, folder: Path) -> Bundle:
    """Zip CONTENT of the checkout `root` into `folder`/<sha256>.zip.

    Raises FileNotFoundError when a part is missing.
    """
    files = [file for part in CONTENT for file in _files(root / part)]
    digest = hashlib.sha256()
    for file in files:
        body = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()}\0{_mode(file):o}\0{len(body)}\0".encode() + body)
    sha256 = digest.hexdigest()
    path = folder / f"{sha256}.zip"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(root).as_posix(), EPOCH)
                entry.external_attr = _mode(file) << 16
                archive.writestr(entry, file.read_bytes())
        part.rename(path)
    return Bundle(path=path, sha256=sha256)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; the image is made of {', '.join(CONTENT)}")
    if path.is_file():
        return [path]
    found = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in found if "__pycache__" not in file.parts)


def _mode(file: Path) -> int:
    return EXECUTABLE if file.stat().st_mode & 0o100 else PLAIN
