"""What the data step is asked for: the data options of a job, and how to clean, divide and store."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from training.errors import DataError
from training.options import DataOptions, number, text

NOT_PREPARED = ("stream_above_mb",)  # of DataOptions: matters when the data set is read
MAX_SHARD_MB = 4096


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(DataOptions):
    """Everything that decides the bytes of a data set, beside its sources; the manifest records it."""

    minimum_side: int = number(8, 1, 65_536, "images whose shorter side has fewer pixels are left out")
    classes: tuple[str, ...] = dataclasses.field(
        default=(), metadata={"about": "the classes that are kept, in the order of their numbers: a,b,c; empty: all"}
    )
    group: str = text(
        "",
        "keep rows together in one part. Images: a regular expression, its first group (or all of it) found in "
        "class/file; tables and texts: the name of a column, which is no input then",
    )
    seed: int = number(0, 0, 2**31 - 1, "parts and order are drawn from it")
    shard_mb: int = number(64, 1, MAX_SHARD_MB, "size of a shard, in MiB; training reads two at a time")

    def __post_init__(self) -> None:
        """Raise DataError that lists every value which is not allowed."""
        problems = [problem for option in dataclasses.fields(self) if (problem := self._problem(option))]
        if self.channels == 2:
            problems.append("--channels is 2; allowed are 1 (grey), 3 (colour) and 0 (as the images are)")
        if len(set(self.classes)) != len(self.classes) or len(self.classes) == 1:
            problems.append(f"--classes is {','.join(self.classes)}; name two or more different classes")
        if self.test_fraction + self.validation_fraction >= 1:
            problems.append("--test-fraction and --validation-fraction together leave nothing to train on")
        if problems:
            raise DataError("; ".join(problems))

    def as_document(self) -> dict[str, Any]:
        """For the manifest."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in NOT_PREPARED}

    def _problem(self, option: "dataclasses.Field[Any]") -> str:
        rules, value = option.metadata, getattr(self, option.name)
        if "allowed" in rules and value not in rules["allowed"]:
            return f"{flag(option.name)} is {value!r}; allowed are {', '.join(rules['allowed'])}"
        if "minimum" in rules and not rules["minimum"] <= value <= rules["maximum"]:
            return f"{flag(option.name)} is {value}; allowed is {rules['minimum']} to {rules['maximum']}"
        return ""


def flag(name: str) -> str:
    """Of the command line."""
    return "--" + name.replace("_", "-")
