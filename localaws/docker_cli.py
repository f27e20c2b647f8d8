"""The `docker` and `aws` that a build finds first on its PATH: build, tag, push and login, nothing else.

Each build has its own little image store in the folder $LOCALAWS_DOCKER; `push` hands the image to localaws.
Only the standard library and little of it: every `docker` command of a build starts this once.
"""

import json
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localaws import images
from localaws.dockerfile import Build
from localaws.dockerfile_syntax import DockerfileError

# Flags of `docker build` with a value that changes nothing here, and those without a value.
IDLE_VALUE_FLAGS = frozenset(
    (
        *("--builder", "--cache-from", "--cache-to", "--network", "--output", "--platform"),
        *("--progress", "--provenance", "--sbom", "--secret", "--ssh"),
    )
)
IDLE_FLAGS = frozenset(["--force-rm", "--load", "--no-cache", "--pull", "--rm", "-q", "--quiet", "--compress"])


class UsageError(Exception):
    """Wrong usage of the shim: the text goes to stderr, exit status 125 as docker's own."""


@dataclass(kw_only=True)
class BuildOptions:
    context: str = ""
    file: str = ""
    target: str = ""
    tags: list[str] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def _parse_build(words: list[str]) -> BuildOptions:
    options, rest = BuildOptions(), iter(words)
    for word in rest:
        name, given, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in IDLE_FLAGS:
            continue
        if not name.startswith("-") or name == "-":
            options.context = name
            continue
        value = value if given else next(rest, "")
        key, _, text = value.partition("=")
        if name in ("-t", "--tag"):
            options.tags.append(_tagged(value))
        elif name in ("-f", "--file"):
            options.file = value
        elif name == "--target":
            options.target = value
        elif name == "--build-arg":
            options.arguments[key] = text if "=" in value else os.environ.get(key, "")
        elif name == "--label":
            options.labels[key] = text
        elif name not in IDLE_VALUE_FLAGS:
            raise UsageError(f"unknown flag {name}; understood: -t, -f, --build-arg, --label, --target")
    if not options.context:
        raise UsageError("docker build needs the folder of its context, for example `docker build -t name .`")
    return options


def _tagged(reference: str) -> str:
    return reference if ":" in reference.rsplit("/", 1)[-1] else f"{reference}:latest"


def _store() -> Path:
    return Path(os.environ["LOCALAWS_DOCKER"])


def _tags() -> dict[str, str]:
    file = _store() / "tags.json"
    found: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _save_tags(tags: dict[str, str]) -> None:
    (_store() / "tags.json").write_text(json.dumps(tags))


def build(words: list[str]) -> None:
    """docker build [-t NAME] [-f FILE] [--build-arg K=V] DIR"""
    options = _parse_build(words)
    context = Path(options.context).resolve()
    file = Path(options.file) if options.file else context / "Dockerfile"
    if not file.is_file():
        raise UsageError(f"no Dockerfile at {file}; name it with -f")
    with tempfile.TemporaryDirectory(dir=_store()) as scratch:
        stage = Build(context, Path(scratch), options.arguments, print).run(file.read_text(), options.target)
        stage.config.labels.update(options.labels)
        folder = Path(scratch) / "image"
        folder.mkdir()
        stage.root.rename(folder / "rootfs")
        images.write_config(folder, stage.config)
        name = images.keep(folder, _images())
    _save_tags({**_tags(), **dict.fromkeys(options.tags, name)})
    print(f"Successfully built {name}")
    for tag in options.tags:
        print(f"Successfully tagged {tag}")


def _images() -> Path:
    folder = _store() / "images"
    folder.mkdir(exist_ok=True)
    return folder


def _known(reference: str) -> str:
    tags = _tags()
    if reference.startswith("sha256:") and reference in tags.values():
        return reference
    if _tagged(reference) not in tags:
        raise UsageError(f"No such image: {_tagged(reference)}; built or tagged here: {', '.join(tags) or 'none'}")
    return tags[_tagged(reference)]


def tag(words: list[str]) -> None:
    """docker tag SOURCE TARGET"""
    if len(words) != 2:
        raise UsageError("docker tag needs a source and a target")
    _save_tags({**_tags(), _tagged(words[1]): _known(words[0])})


def push(words: list[str]) -> None:
    """docker push NAME"""
    plain = [word for word in words if not word.startswith("-")]
    if len(plain) != 1:
        raise UsageError("docker push needs exactly one image name")
    reference = _tagged(plain[0])
    folder = _images() / _known(reference).removeprefix("sha256:")
    print(f"The push refers to repository [{reference.rsplit(':', 1)[0]}]")
    name = _ask("registry", {"reference": reference, "folder": str(folder), **_key()})["digest"]
    print(f"{reference.rsplit(':', 1)[-1]}: digest: {name}")


def _key() -> dict[str, str]:
    """Whose image it is: the build's role may push, or not."""
    return {"key": os.environ.get("AWS_ACCESS_KEY_ID", ""), "region": os.environ.get("AWS_REGION", "")}


def _ask(what: str, question: dict[str, str]) -> dict[str, str]:
    """POST to localaws itself. Raises UsageError with its refusal."""
    url, body = f"{os.environ['LOCALAWS_URL']}/_localaws/{what}", json.dumps(question).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST")) as answer:
            found: dict[str, str] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        raise UsageError(json.load(error)["message"]) from error


def login(words: list[str]) -> None:
    """docker login --username AWS --password-stdin REGISTRY (any password is right)"""
    if "--password-stdin" in words and not sys.stdin.read().strip():
        raise UsageError("password is empty")  # `aws ecr get-login-password` in front of the pipe was refused
    print("Login Succeeded")


def refuse_pull(words: list[str]) -> None:
    """docker pull is refused: no image layers exist here"""
    raise UsageError("localaws keeps no image layers, so there is nothing to pull; SageMaker runs the image by itself")


def version(words: list[str]) -> None:
    """docker version"""
    print("Docker version 0.0.0 (localaws)")


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "build": build,
    "tag": tag,
    "push": push,
    "login": login,
    "logout": login,
    "pull": refuse_pull,
    "version": version,
    "--version": version,
}


def docker(words: list[str]) -> None:
    words = words[1:] if words[:1] in (["buildx"], ["image"]) else words
    if not words or words[0] not in COMMANDS:
        raise UsageError(f"docker {' '.join(words[:1])} is not understood here; commands: {', '.join(COMMANDS)}")
    COMMANDS[words[0]](words[1:])


def aws(words: list[str]) -> None:
    """`aws ecr get-login-password` at once; all else by the real AWS CLI, if there is one."""
    plain = [word for word in words if not word.startswith("-")]
    if plain[:2] == ["ecr", "get-login-password"]:
        print(_ask("login", _key())["password"])
        return
    here = Path(sys.argv[0]).resolve().parent
    others = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part).resolve() != here]
    real = shutil.which("aws", path=os.pathsep.join(others))
    if real is None:
        raise UsageError("only `aws ecr get-login-password` is here; install the awscli package for more")
    os.execv(real, [real, *words])


def main(program: str, words: list[str]) -> int:
    try:
        (docker if program == "docker" else aws)(words)
    except (UsageError, DockerfileError, urllib.error.URLError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 125 if isinstance(error, UsageError) else 1
    return 0


def write_shims(folder: Path) -> None:
    """Put `docker` and `aws` into a folder for PATH, run by this interpreter."""
    package_root = Path(__file__).resolve().parent.parent
    for program in ("docker", "aws"):
        shim = folder / program
        shim.write_text(
            f"#!{sys.executable} -IS\n"
            f"import sys\nsys.path.insert(0, {str(package_root)!r})\n"
            f"from localaws.docker_cli import main\nsys.exit(main({program!r}, sys.argv[1:]))\n"
        )
        shim.chmod(0o755)
