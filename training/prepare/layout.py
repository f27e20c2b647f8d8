"""Which class and which part a file belongs to, by the folders that it is in.

    class/file      part/class/file      anything/class/file      anything/part/class/file

where a part is train, validation (val) or test, and folders that all files are in mean nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from training.data.channel import part_of


class Place(NamedTuple):
    """What the folders say of a file."""

    label: str
    """The class; empty for a file that is in no class folder."""
    part: str
    """train, validation, test, or empty."""


def places(names: Sequence[str], *, labelled: bool) -> list[Place]:
    """One for each of `names` of one source. Without `labelled` only the part is looked for."""
    folders = [tuple(name.split("/")[:-1]) for name in names]
    depth = _common(folders, least=1 if labelled else 0)
    inner = [folder[depth:] for folder in folders]
    if inner and all(folder and _part(folder[0]) for folder in inner):
        return [Place(folder[1] if labelled and len(folder) > 1 else "", _part(folder[0])) for folder in inner]
    return [Place(folder[0] if labelled and folder else "", "") for folder in inner]


def _common(folders: Sequence[tuple[str, ...]], least: int) -> int:
    """Outer folders that all files are in, so that `least` levels remain for every file that had as many."""
    depth = 0
    while folders and all(len(folder) > depth + least for folder in folders):
        if len({folder[depth] for folder in folders}) > 1 or _part(folders[0][depth]):
            break
        depth += 1
    return depth


def _part(folder: str) -> str:
    """Only the plain names: test_tube is a class."""
    return part_of(f"{folder}/") or ""
