"""The lines of a Dockerfile as instructions. Only the standard library, because the `docker` of a build imports it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


class DockerfileError(Exception):
    """Names the line and what is wrong with it."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"Dockerfile line {line}: {problem}")


@dataclass(frozen=True)
class Instruction:
    line: int
    name: str
    rest: str


def parse(text: str) -> list[Instruction]:
    """Instructions with continuation lines joined, comments dropped, and here-documents of RUN swallowed."""
    found: list[Instruction] = []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        whole = _join_continuations(line, lines)
        name, _, rest = whole.strip().partition(" ")
        for delimiter in re.findall(r"<<-?\s*[\"']?(\w+)[\"']?", rest):
            if name.upper() != "RUN":
                raise DockerfileError(number, f"here-documents are understood only after RUN, not after {name}")
            for _, body in lines:
                if body.strip() == delimiter:
                    break
        found.append(Instruction(number, name.upper(), rest.strip()))
    return found


def _join_continuations(line: str, lines: Iterator[tuple[int, str]]) -> str:
    joined = line.rstrip()
    while joined.endswith("\\"):
        following = next((text for _, text in lines if not text.lstrip().startswith("#")), "")
        joined = joined[:-1] + " " + following.strip()
    return joined
