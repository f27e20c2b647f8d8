"""code/requirements.txt is a list of what must be there already: a server that installs packages as it starts fails
when the index does, starts slowly on every scale-out, and cannot start at all without a network.
"""

import logging
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from inference.manifests.fields import ArtifactError

log = logging.getLogger(__name__)

NAME, LIB = "requirements.txt", "lib"
_COMMENT = re.compile(r"(^|\s)#.*")
_OTHER_FILE = re.compile(r"(?:-r|--requirement)[\s=]*(\S+)")


def check_requirements(folder: Path) -> None:
    """Raise ArtifactError that names every distribution which `folder`/requirements.txt lists and nobody installed."""
    path = folder / NAME
    if not path.is_file():
        return
    places = [str(folder / LIB), *sys.path]
    missing = [fault for line in _lines(path) if (fault := _fault(line, places))]
    if missing:
        raise ArtifactError(
            f"{path} lists what is not installed: {', '.join(missing)}; bake it into the image, or bring it along: "
            f"pip install --target {folder}/lib -r {path} (nothing is installed when the server starts)"
        )


def _lines(path: Path) -> Iterator[str]:
    """The requirements in the file and in those that it includes, without comments and pip's options."""
    for raw in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        line = _COMMENT.sub("", raw).strip()
        if other := _OTHER_FILE.fullmatch(line):
            yield from _lines(path.parent / other[1])
        elif line and not line.startswith("-"):
            yield line.partition(" --")[0].strip()


def _fault(line: str, places: list[str]) -> str:
    """What is missing in `places` or of another version; an empty string where the requirement is met."""
    try:
        wanted = Requirement(line)
    except InvalidRequirement:
        log.warning("%r in %s names no distribution; nobody can tell whether it is installed", line, NAME)
        return ""
    if wanted.marker is not None and not wanted.marker.evaluate():
        return ""
    found = next(iter(Distribution.discover(name=wanted.name, path=places)), None)
    if found is None:
        return str(wanted)
    return "" if wanted.specifier.contains(found.version, prereleases=True) else f"{wanted} (here is {found.version})"
