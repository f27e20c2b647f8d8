"""Manifests as YAML: the same objects give the same bytes, and no parser takes a text for a number.

YAML 1.1 (PyYAML, and Kubernetes' own parser) and 1.2 disagree on words such as 1e3, 0o17, y and on; so everything but
plain words is quoted.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from slipway.errors import USAGE, SlipwayError
from slipway.export.workload import Manifest

HEADER = "# Made by `slipway export kubernetes`; made again, it is overwritten.\n"
STDOUT = "-"
FILE_ENDINGS = (".yaml", ".yml")
PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]+")
WIDTH = 120


class _Dumper(yaml.SafeDumper):
    """Block style, no aliases, texts of several lines as they are."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None if PLAIN.fullmatch(text) else "'" if '"' in text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def document(value: Manifest) -> str:
    """One YAML document."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=WIDTH, allow_unicode=True)


def stream(values: Sequence[Manifest]) -> str:
    """All of them in one file."""
    return HEADER + "---\n".join(map(document, values))


def write(values: Sequence[Manifest], place: Path) -> list[Path]:
    """Write to the file `place`, or to one file an object in the folder `place`; returns what was written.

    Objects of an earlier export that this one lacks go from the folder. Raises SlipwayError.
    """
    try:
        if place.suffix in FILE_ENDINGS:
            place.write_text(stream(values))
            return [place]
        place.mkdir(parents=True, exist_ok=True)
        written = {place / f"{value['kind'].lower()}.yaml": HEADER + document(value) for value in values}
        for old in set(place.glob("*.yaml")) - set(written):
            if old.read_text().startswith(HEADER):
                old.unlink()
        for path, text in written.items():
            path.write_text(text)
        return list(written)
    except OSError as error:
        raise SlipwayError(
            f"--output is {str(place)!r}: {error.strerror}; give a folder, FILE.yaml or -", USAGE
        ) from error
