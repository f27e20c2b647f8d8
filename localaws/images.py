"""Container images as folders: `rootfs/` with what the Dockerfile copied, and `config.json`.

The same content gives the same digest: it covers each file's path, mode and bytes and the configuration, not times.
Only the standard library, because the `docker` of a build imports it.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(kw_only=True)
class Config:
    """What a Dockerfile says besides files."""

    base: str = ""
    env: dict[str, str] = field(default_factory=lambda: {"PATH": DEFAULT_PATH})
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = ""
    ports: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that can run. `root` is None for an image that is not from this account: bare, with this interpreter."""

    root: Path | None
    config: Config

    def inside(self, path: str) -> Path | None:
        """Where an absolute path of the image lies on this machine, or None if the image has no such path."""
        if self.root is None or not path.startswith("/"):
            return None
        here = self.root / path.lstrip("/")
        return here if here.exists() else None


BARE = Image(root=None, config=Config())


def _tree_digest(root: Path) -> tuple[str, int]:
    """sha256 over all files in path order, and their size in bytes."""
    total, digest = 0, hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            content, mode = str(path.readlink()).encode(), "l"
        elif path.is_dir():
            content, mode = b"", "d"
        else:
            content, mode = path.read_bytes(), "x" if os.access(path, os.X_OK) else "f"
        digest.update(f"{mode} {name} {len(content)}\0".encode() + content)
        total += len(content)
    return digest.hexdigest(), total


def manifest(folder: Path) -> str:
    """The image manifest (schema version 2, one layer) as `docker push` would send it."""
    layer, size = _tree_digest(folder / "rootfs")
    config = (folder / "config.json").read_bytes()
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "size": len(config) + size,
            "digest": f"sha256:{hashlib.sha256(config).hexdigest()}",
        },
        "layers": [{"mediaType": LAYER_TYPE, "size": size, "digest": f"sha256:{layer}"}],
    }
    return json.dumps(document, indent=3)


def digest(folder: Path) -> str:
    return f"sha256:{hashlib.sha256(manifest(folder).encode()).hexdigest()}"


def write_config(folder: Path, config: Config) -> None:
    (folder / "config.json").write_text(json.dumps(asdict(config), sort_keys=True))


def load(folder: Path) -> Image:
    config = Config(**json.loads((folder / "config.json").read_text()))
    return Image(root=folder / "rootfs", config=config)


def keep(folder: Path, store: Path) -> str:
    """Copy an image folder into a store under its digest, unless it is there. Returns the digest."""
    name = digest(folder)
    target = store / name.removeprefix("sha256:")
    if not target.exists():
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(folder, partial, symlinks=True)
        partial.rename(target)
    return name
