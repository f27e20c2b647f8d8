"""`.dockerignore`: which files of a build context stay out of it."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ignore:
    """Patterns in file order, each with whether it hides or (`!`) shows again; the last match decides."""

    rules: list[tuple[bool, re.Pattern[str]]]

    @classmethod
    def read(cls, context: Path) -> "Ignore":
        file = context / ".dockerignore"
        lines = [line.strip() for line in file.read_text().splitlines()] if file.exists() else []
        given = [line for line in lines if line and not line.startswith("#")]
        return cls([(not line.startswith("!"), _pattern(line.lstrip("!"))) for line in given])

    @property
    def may_show_below(self) -> bool:
        """Whether a hidden folder must still be walked, because a later `!` pattern may show something in it."""
        return any(not hides for hides, _ in self.rules)

    def hides(self, path: str) -> bool:
        verdict = False
        for hides, pattern in self.rules:
            if pattern.fullmatch(path):
                verdict = hides
        return verdict


_TOKENS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern also matches everything below what it names."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", text.strip("/").removeprefix("./"))
    return re.compile("".join(_TOKENS.get(part, re.escape(part)) for part in parts) + "(?:/.*)?")
