"""Builds an image folder from a Dockerfile, in small form: files and configuration, no commands.

FROM is recorded (its layers are not fetched) and RUN is not run: this machine's interpreter and its packages stand in
for both, and the log says so line by line. Anything that is not understood is an error with its line number.
Only the standard library, because the `docker` of a build imports it.
"""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from localaws.dockerfile_syntax import DockerfileError, Instruction, parse
from localaws.dockerignore import Ignore
from localaws.images import Config

Say = Callable[[str], None]


@dataclass(kw_only=True)
class Stage:
    """One FROM: its files, its configuration, and the variables known so far."""

    root: Path
    config: Config = field(default_factory=Config)
    arguments: dict[str, str] = field(default_factory=dict)

    def expand(self, text: str) -> str:
        """$NAME, ${NAME}, ${NAME:-default} and ${NAME:+other}; unknown names become empty, as in docker."""
        known = {**self.arguments, **self.config.env}

        def value(match: re.Match[str]) -> str:
            name, sign, other = match["braced"] or match["plain"], match["sign"], match["other"] or ""
            if sign == ":+":
                return other if known.get(name) else ""
            return known.get(name) or (other if sign == ":-" else "")

        pattern = r"(?<!\\)\$(?:\{(?P<braced>\w+)(?:(?P<sign>:[-+])(?P<other>[^}]*))?\}|(?P<plain>\w+))"
        return re.sub(pattern, value, text)


class Build:
    """Walks the instructions. The result is the last stage (or the one named by `target`)."""

    def __init__(self, context: Path, scratch: Path, arguments: Mapping[str, str], say: Say) -> None:
        self._context = context
        self._scratch = scratch
        self._given = dict(arguments)
        self._global: dict[str, str] = {}
        self._stages: dict[str, Stage] = {}
        self._stage: Stage | None = None
        self._ignore = Ignore.read(context)
        self._say = say

    def run(self, text: str, target: str = "") -> Stage:
        """Build. Raises DockerfileError."""
        instructions = parse(text)
        for number, step in enumerate(instructions, 1):
            self._say(f"Step {number}/{len(instructions)} : {step.name} {step.rest}")
            if step.name not in INSTRUCTIONS:
                raise DockerfileError(step.line, f"unknown instruction {step.name}; known: {', '.join(INSTRUCTIONS)}")
            if self._stage is None and step.name not in ("FROM", "ARG"):
                raise DockerfileError(step.line, f"{step.name} before the first FROM")
            INSTRUCTIONS[step.name](self, step)
        if self._stage is None:
            raise DockerfileError(len(text.splitlines()) or 1, "no FROM instruction; an image needs a base")
        if target and target not in self._stages:
            raise DockerfileError(1, f"no stage is called {target!r}; stages: {', '.join(self._stages)}")
        return self._stages[target] if target else self._stage

    @property
    def stage(self) -> Stage:
        assert self._stage is not None  # run() has checked
        return self._stage

    def from_(self, step: Instruction) -> None:
        words = [word for word in step.rest.split() if not word.startswith("--")]
        if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
            raise DockerfileError(step.line, f"expected FROM image [AS name], got {step.rest!r}")
        base = Stage(root=self._scratch, arguments=self._global).expand(words[0])
        stage = Stage(root=self._scratch / f"stage{len(self._stages)}")
        if base in self._stages:
            earlier = self._stages[base]
            shutil.copytree(earlier.root, stage.root, symlinks=True)
            stage.config = Config(**json.loads(json.dumps(earlier.config.__dict__)))
        else:
            stage.root.mkdir()
            stage.config.base = base
            self._say(f" ---> {base} is recorded, not fetched: this machine's interpreter stands in for it")
        self._stages[words[2] if len(words) == 3 else str(len(self._stages))] = self._stage = stage

    def arg(self, step: Instruction) -> None:
        name, given, default = step.rest.partition("=")
        value = self._given.get(name, default.strip("\"'") if given else self._global.get(name, ""))
        (self.stage.arguments if self._stage else self._global)[name] = value

    def env(self, step: Instruction) -> None:
        self.stage.config.env.update(self._pairs(step))

    def label(self, step: Instruction) -> None:
        self.stage.config.labels.update(self._pairs(step))

    def _pairs(self, step: Instruction) -> dict[str, str]:
        words = self._split(step)
        if "=" not in words[0]:  # the old form: ENV NAME the rest of the line
            name, _, value = self.stage.expand(step.rest).partition(" ")
            return {name: value.strip()}
        wrong = [word for word in words if "=" not in word]
        if wrong:
            raise DockerfileError(step.line, f"expected name=value, got {wrong[0]!r}")
        return dict(word.split("=", 1) for word in words)

    def _split(self, step: Instruction) -> list[str]:
        try:
            words = shlex.split(self.stage.expand(step.rest))
        except ValueError as error:
            raise DockerfileError(step.line, f"{error} in {step.rest!r}") from error
        if not words:
            raise DockerfileError(step.line, f"{step.name} needs a value")
        return words

    def workdir(self, step: Instruction) -> None:
        self.stage.config.workdir = self._absolute(self.stage.expand(step.rest))
        (self.stage.root / self.stage.config.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _absolute(self, path: str) -> str:
        parts = PurePosixPath("/", self.stage.config.workdir, path).parts
        resolved: list[str] = []
        for part in parts[1:]:
            resolved = resolved[:-1] if part == ".." else [*resolved, part]
        return "/" + "/".join(resolved)

    def entrypoint(self, step: Instruction) -> None:
        self.stage.config.entrypoint, self.stage.config.cmd = self._command(step), []

    def cmd(self, step: Instruction) -> None:
        self.stage.config.cmd = self._command(step)

    def _command(self, step: Instruction) -> list[str]:
        if not step.rest.startswith("["):
            return ["/bin/sh", "-c", step.rest]
        try:
            return [str(word) for word in json.loads(step.rest)]
        except ValueError as error:
            raise DockerfileError(step.line, f"{step.rest!r} is not a JSON list: {error}") from error

    def copy(self, step: Instruction) -> None:
        words = step.rest.split()
        flags = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
        plain = " ".join(word for word in words if not word.startswith("--"))
        paths = json.loads(plain) if plain.startswith("[") else self._split(Instruction(step.line, step.name, plain))
        if len(paths) < 2:
            raise DockerfileError(step.line, f"{step.name} needs a source and a destination, got {step.rest!r}")
        origin, ignore = self._context, self._ignore
        if "from" in flags:
            if flags["from"] not in self._stages:
                raise DockerfileError(step.line, f"--from={flags['from']} is no stage of this file")
            origin, ignore = self._stages[flags["from"]].root, Ignore([])
        for path in paths[:-1]:
            if "://" in path:
                raise DockerfileError(step.line, f"{path} is an address; only files of the context can be added")
            self._copy(step, origin, path, paths, ignore, flags.get("chmod", ""))

    def _copy(self, step: Instruction, origin: Path, path: str, paths: list[str], ignore: Ignore, mode: str) -> None:
        target = self.stage.root / self._absolute(paths[-1]).lstrip("/")
        relative = path.lstrip("/").rstrip("/") or "."
        found = sorted(origin.glob(relative)) if relative != "." else [origin]
        found = [item for item in found if item == origin or not ignore.hides(item.relative_to(origin).as_posix())]
        if not found or ".." in PurePosixPath(relative).parts:
            raise DockerfileError(step.line, f"{path!r} was not found in the build context (or .dockerignore hides it)")
        into = paths[-1].endswith(("/", ".")) or len(paths) > 2 or len(found) > 1 or target.is_dir()
        for item in found:
            if item.is_dir():
                _copy_tree(item, target, origin, ignore)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                place = target / item.name if into else target
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(item, place)
                if mode:
                    place.chmod(int(mode, 8))

    def run_(self, step: Instruction) -> None:
        self._say(f" ---> RUN is not run: this machine's environment stands in for `{step.rest}`")

    def user(self, step: Instruction) -> None:
        self.stage.config.user = self.stage.expand(step.rest)

    def expose(self, step: Instruction) -> None:
        self.stage.config.ports += self._split(step)

    def no_effect(self, step: Instruction) -> None:
        self._say(f" ---> {step.name} has no effect here")


def _copy_tree(source: Path, target: Path, origin: Path, ignore: Ignore) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for item in sorted(source.iterdir()):
        hidden = ignore.hides(item.relative_to(origin).as_posix())
        if hidden and not (item.is_dir() and ignore.may_show_below):
            continue
        if item.is_symlink():
            (target / item.name).symlink_to(item.readlink())
        elif item.is_dir():
            _copy_tree(item, target / item.name, origin, ignore)
        else:
            shutil.copy2(item, target / item.name)


INSTRUCTIONS: dict[str, Callable[[Build, Instruction], None]] = {
    "FROM": Build.from_,
    "ARG": Build.arg,
    "ENV": Build.env,
    "LABEL": Build.label,
    "WORKDIR": Build.workdir,
    "COPY": Build.copy,
    "ADD": Build.copy,
    "ENTRYPOINT": Build.entrypoint,
    "CMD": Build.cmd,
    "USER": Build.user,
    "EXPOSE": Build.expose,
    "RUN": Build.run_,
    **dict.fromkeys(("HEALTHCHECK", "MAINTAINER", "SHELL", "STOPSIGNAL", "VOLUME"), Build.no_effect),
}
