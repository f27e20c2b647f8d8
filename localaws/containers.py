"""Runs an image as processes: finds the program, builds its environment from nothing, shows it `/opt/ml`.

The image's own paths (PATH, PYTHONPATH, WORKDIR, ENTRYPOINT) are translated to its folder; `python` is this
interpreter. The program is the process: no shell or wrapper stays in between, so SIGTERM reaches it.
"""

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from localaws import mounts
from localaws.cloud import Cloud
from localaws.images import DEFAULT_PATH, Image
from localaws.processes import Process, Sink

OPT_ML = "/opt/ml"
KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "CUDA_VISIBLE_DEVICES")


class StartError(Exception):
    """The container cannot start; the text is docker's own."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One container. `root` is the folder shown as /opt/ml; `readonly` names folders in it."""

    image: Image
    argv: Sequence[str]
    root: Path
    region: str
    env: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    readonly: Sequence[str] = ()


def mounted(cloud: Cloud) -> bool:
    """Whether containers see their folder as /opt/ml and their `hosts` in /etc/hosts."""
    return cloud.mounts and mounts.unshare() is not None


def start(cloud: Cloud, spec: Spec, sink: Sink, on_exit: Callable[[Process], None] | None = None) -> Process:
    """Start the container's program. Raises StartError if there is no such program."""
    unshare = mounts.unshare() if cloud.mounts else None
    env = environment(cloud, spec, mounted=unshare is not None)
    argv = program(spec.image, spec.argv, env["PATH"])
    before: list[str] = []
    if unshare is None:
        argv = [_move(word, spec.root) for word in argv]
    else:
        before = mounts.command(unshare, spec.root, _hosts_file(spec), spec.readonly)
    try:
        cwd = workdir(spec.image, spec.root)
        return cloud.launcher.start([*before, *argv], cwd=cwd, env=env, sink=sink, on_exit=on_exit)
    except OSError as error:
        raise StartError(str(error)) from error


def _move(word: str, root: Path) -> str:
    """`/opt/ml/...` in an argument, where no namespace makes it true."""
    return str(root) + word.removeprefix(OPT_ML) if word == OPT_ML or word.startswith(f"{OPT_ML}/") else word


def _hosts_file(spec: Spec) -> Path | None:
    if not spec.hosts:
        return None
    file = spec.root.with_name(f"{spec.root.name}.hosts")
    # The machine's own name too: programs look it up to find an address of their own.
    names = {"localhost": "127.0.0.1", socket.gethostname(): "127.0.0.1", **spec.hosts}
    file.write_text("".join(f"{address} {name}\n" for name, address in names.items()))
    return file


def workdir(image: Image, root: Path) -> Path:
    """The image's WORKDIR on this machine; a bare image works beside its /opt/ml."""
    return image.inside(image.config.workdir) or image.root or root.parent


def environment(cloud: Cloud, spec: Spec, *, mounted: bool) -> dict[str, str]:
    """The container's whole environment: nothing is inherited but what the interpreter needs."""
    scratch = spec.root.with_name(f"{spec.root.name}.tmp")
    scratch.mkdir(exist_ok=True)
    here = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    image = {name: _translate(spec.image, value) for name, value in spec.image.config.env.items()}
    path = [_path(spec.image), str(Path(sys.executable).parent), image.get("PATH", ""), DEFAULT_PATH]
    return {
        **here,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        **image,
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        **({} if mounted else variables(spec.root)),
        **spec.env,
        "PATH": ":".join(dict.fromkeys(part for part in ":".join(path).split(":") if part)),
    }


def _translate(image: Image, value: str) -> str:
    """Each `:`-separated path that the image has, as its place on this machine."""
    return ":".join(str(image.inside(part) or part) for part in value.split(":"))


def _path(image: Image) -> str:
    """The image's own PATH folders: they come first, then this interpreter's, then the machine's."""
    parts = image.config.env.get("PATH", DEFAULT_PATH).split(":")
    return ":".join(str(place) for part in parts if (place := image.inside(part)))


def program(image: Image, argv: Sequence[str], path: str) -> list[str]:
    """The words to execute, with the image's paths translated. Raises StartError."""
    words = [str(image.inside(word) or word) for word in argv]
    if not words:
        raise StartError("no command specified")
    first = words[0]
    if "/" not in first:
        found = shutil.which(first, path=path) or _not_yet_executable(first, path)
    elif _is_python(first) and image.inside(argv[0]) is None:
        found = sys.executable
    else:
        found = first if Path(first).exists() else None
    if found is None:
        raise StartError(f'exec: "{argv[0]}": executable file not found in $PATH')
    return [*_interpreter(Path(found), image), found, *words[1:]]


def _not_yet_executable(name: str, path: str) -> str | None:
    """A script that a `RUN chmod +x`, which is not run here, would have made executable."""
    places = (Path(folder, name) for folder in path.split(":"))
    return next((str(place) for place in places if place.is_file()), None)


def _is_python(program: str) -> bool:
    return Path(program).name.startswith("python")


def _interpreter(file: Path, image: Image) -> list[str]:
    """The interpreter of an image's script: this Python for any Python, else what its first line says."""
    if image.root is None or image.root not in file.parents:
        return []
    with file.open("rb") as script:
        first = script.readline(256)
    words = first[2:].decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    if words and Path(words[0]).name == "env":
        words = words[2:] if words[1:2] == ["-S"] else words[1:]
    if words and _is_python(words[0]):
        return [sys.executable, *words[1:]]
    return [] if os.access(file, os.X_OK) else words


def variables(root: Path) -> dict[str, str]:
    """The names under which scripts look for the folders of /opt/ml when it is elsewhere."""
    channels = sorted(path.name for path in (root / "input" / "data").glob("*") if path.is_dir())
    config = root / "input" / "config"
    return {
        "SAGEMAKER_BASE_DIR": str(root),
        "SM_MODEL_DIR": str(root / "model"),
        "SM_INPUT_DIR": str(root / "input"),
        "SM_INPUT_CONFIG_DIR": str(config),
        "SM_OUTPUT_DIR": str(root / "output"),
        "SM_OUTPUT_DATA_DIR": str(root / "output" / "data"),
        "SM_CHANNELS": json.dumps(channels),
        **{f"SM_CHANNEL_{name.upper()}": str(root / "input" / "data" / name) for name in channels},
        **_from_config(config),
    }


def _from_config(config: Path) -> dict[str, str]:
    found = {}
    if (config / "hyperparameters.json").exists():
        found["SM_HPS"] = (config / "hyperparameters.json").read_text()
    if (config / "resourceconfig.json").exists():
        resources = json.loads((config / "resourceconfig.json").read_text())
        found["SM_HOSTS"] = json.dumps(resources["hosts"])
        found["SM_CURRENT_HOST"] = resources["current_host"]
    return found
