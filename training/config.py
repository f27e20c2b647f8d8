"""Hyperparameters: SageMaker's flat string map -> one typed, frozen config, every problem reported at once.

Values may arrive JSON-quoted ("\\"cnn\\""), as SDK v2 sends them. Keys that start with `sagemaker_` or `_tuning`
belong to the platform and are ignored. A model's own defaults (training.models.registry) come before the general ones
of training.options, and what the user sets comes before both.
"""

import dataclasses
import difflib
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from training.errors import ConfigError
from training.models.registry import get, names
from training.options import (
    SECTIONS,
    AugmentOptions,
    DataOptions,
    ExportOptions,
    GateOptions,
    LoopOptions,
    ModelOptions,
    OptimizerOptions,
    options,
)

PLATFORM_PREFIXES = ("sagemaker_", "_tuning")
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
# What may change between a run and its continuation: how fast and on how many machines, never what is learnt.
NOT_DECISIVE = ("log_every_steps", "checkpoint_every_seconds", "threads", "processes", "distributed", "compile")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One run's settings, by section; training.options says what each is."""

    data: DataOptions = field(default_factory=DataOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    loop: LoopOptions = field(default_factory=LoopOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    gate: GateOptions = field(default_factory=GateOptions)
    export: ExportOptions = field(default_factory=ExportOptions)

    @classmethod
    def of(cls, **values: Any) -> "TrainingConfig":
        """From typed values by their flat names: `TrainingConfig.of(epochs=3, width=8)`."""
        sections: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
        known = options()
        for name, value in values.items():
            sections[known[name][0]][name] = value
        return cls(**{name: SECTIONS[name](**found) for name, found in sections.items()})

    def flat(self) -> dict[str, Any]:
        """Flat name -> value of every hyperparameter."""
        return {name: getattr(getattr(self, section), name) for name, (section, _) in options().items()}

    def identity(self, data_sha256: str) -> str:
        """16 hex digits of everything that decides the weights; checkpoints of another identity are not resumed."""
        decisive = {
            name: value
            for name, value in self.flat().items()
            if name not in NOT_DECISIVE and options()[name][0] not in ("gate", "export")
        }
        text = json.dumps([decisive, data_sha256], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_hyperparameters(raw: Mapping[str, object]) -> TrainingConfig:
    """Typed config from the strings in `raw`; raises ConfigError that names every bad key and value.

    A task without a model gets the first one that is registered for it.
    """
    known = options()
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, given in raw.items():
        if key.startswith(PLATFORM_PREFIXES):
            continue
        if key not in known:
            problems.append(_unknown(key, list(known)))
            continue
        try:
            values[key] = _convert(known[key][1], _unquote(given))
        except ValueError as error:
            problems.append(f"{key}: {error}")
    task = values.get("task", DataOptions().task)
    model = values.get("model", names(task)[0])
    try:
        entry = get(model)
        if task not in entry.tasks:
            problems.append(
                f"model: {model!r} is for {', '.join(entry.tasks)}; for {task} use {', '.join(names(task))}"
            )
    except ConfigError as error:
        problems.append(str(error))
    if problems:
        raise ConfigError("hyperparameters: " + "; ".join(problems))
    return TrainingConfig.of(**{**entry.defaults, **values, "model": model})


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"{key}: unknown; {hint}"


def _unquote(text: object) -> object:
    if isinstance(text, str) and len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _convert(option: "dataclasses.Field[Any]", value: object) -> Any:
    return {str: _word, bool: _truth, int: _number, float: _number}[option.type](option, value)  # type: ignore[index]


def _word(option: "dataclasses.Field[Any]", value: object) -> str:
    allowed = option.metadata.get("allowed")
    if not isinstance(value, str) or (allowed is not None and value not in allowed):
        raise ValueError(f"{value!r} is not " + (f"one of {', '.join(allowed)}" if allowed else "text"))
    return value


def _truth(option: "dataclasses.Field[Any]", value: object) -> bool:
    word = str(value).lower()
    if word not in (*TRUE, *FALSE):
        raise ValueError(f"{value!r} is not true or false")
    return word in TRUE


def _number(option: "dataclasses.Field[Any]", value: object) -> int | float:
    rules, kind = option.metadata, option.type
    name = "a whole number" if kind is int else "a number"
    expected = f"{name} from {rules['minimum']:g} to {rules['maximum']:g}"
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not {expected}")
    try:
        number: int | float = int(str(value)) if kind is int else float(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not {expected}") from None
    if math.isnan(number) or not rules["minimum"] <= number <= rules["maximum"]:
        raise ValueError(f"{value!r} is outside the allowed range: {expected}")
    return number
