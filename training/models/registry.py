"""The table of models: name, tasks, own defaults of hyperparameters, and the function that makes one.

    python -c "from training.models import registry; print(registry.names('text-classification'))"

Nothing here imports torch or scikit-learn: the configuration is checked against this table first, and a model's module
is imported only when it is built. A user adds a model without a change to this file, by a `*.py` in the `code` channel:

    @model("my_cnn", tasks=("image-classification",), width=32, epochs=10)
    def my_cnn(spec: ModelSpec) -> nn.Module: ...
"""

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from training.errors import ConfigError
from training.models.defaults import DEFAULTS
from training.models.user_models import load_user_models
from training.options import TASKS, ModelOptions, options

if TYPE_CHECKING:
    from torch import nn

    from training.data import DataSet
    from training.models.estimators import EstimatorConfig, FittedEstimator

__all__ = ["OURS", "ModelEntry", "ModelSpec", "get", "load_user_models", "model", "names"]

IMAGE, TEXT, TABLE, REGRESSION, GENERATION = TASKS
Builder = TypeVar("Builder", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a model is built from."""

    task: str
    shape: tuple[int, ...]  # of one preprocessed instance: (C, H, W), (T,), (features,)
    outputs: int  # classes; 1 for regression; the latent size for generation
    vocabulary: int  # token ids, 0 unless the input is text
    options: ModelOptions


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One row of the table. `place` is module:function for ours, file:line for a user's."""

    name: str
    tasks: tuple[str, ...]
    defaults: Mapping[str, Any]
    place: str
    is_estimator: bool = False  # `fit` instead of `build`: scikit-learn's, without a training loop
    function: Callable[..., Any] | None = field(default=None, repr=False)

    def build(self, spec: ModelSpec) -> "nn.Module":
        """A network with fresh weights, drawn from torch's global generator.

        Raises ConfigError on a shape it is not for; a user's is tried first, on two rows of zeros.
        """
        assert not self.is_estimator, f"{self.name} is fitted, not built"
        built: nn.Module = self._load()(spec)
        if self.function is not None:
            from training.models.check import check

            check(self, built, spec)
        return built

    def fit(self, data: "DataSet", config: "EstimatorConfig") -> "FittedEstimator":
        """An estimator fitted to the training part; raises DataError where that part does not do."""
        assert self.is_estimator, f"{self.name} is built, not fitted"
        return self._load()(data, config)

    def _load(self) -> Callable[..., Any]:
        if self.function is not None:
            return self.function
        module, name = self.place.split(":")
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return loaded


def _network(name: str, tasks: tuple[str, ...]) -> ModelEntry:
    return ModelEntry(name=name, tasks=tasks, defaults=DEFAULTS[name], place=f"training.models.{name}:{name}")


def _estimator(name: str, tasks: tuple[str, ...]) -> ModelEntry:
    place = f"training.models.estimators:{name}"
    return ModelEntry(name=name, tasks=tasks, defaults=DEFAULTS[name], place=place, is_estimator=True)


# The first model of a task is the one that a job of this task gets when it names none.
OURS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _network("cnn", (IMAGE,)),
            _network("mlp", (IMAGE,)),
            _network("resnet9", (IMAGE,)),
            _network("fasttext", (TEXT,)),
            _network("lstm", (TEXT,)),
            _network("transformer", (TEXT,)),
            _network("tabular_mlp", (TABLE, REGRESSION)),
            _estimator("logistic", (TABLE,)),
            _estimator("linear", (REGRESSION,)),
            _estimator("svm", (TABLE, REGRESSION)),
            _estimator("random_forest", (TABLE, REGRESSION)),
            _network("vae", (GENERATION,)),
        )
    }
)
_theirs: dict[str, ModelEntry] = {}


def get(name: str) -> ModelEntry:
    """The model called `name`; raises ConfigError with the nearest name and what there is for each task."""
    found = OURS.get(name) or _theirs.get(name)
    if found:
        return found
    near = difflib.get_close_matches(name, [*OURS, *_theirs], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    table = "; ".join(f"{task}: {', '.join(names(task))}" for task in TASKS)
    raise ConfigError(
        f"model: {name!r} is unknown; {hint}There are: {table}. "
        f"Use one of these, or put a file with @model({name!r}, tasks=...) into the `code` channel"
    )


def names(task: str = "") -> tuple[str, ...]:
    """Names of all models, or of those for `task`: ours, its default first, then the user's."""
    return tuple(entry.name for entry in [*OURS.values(), *_theirs.values()] if not task or task in entry.tasks)


def model(name: str, *, tasks: tuple[str, ...], **defaults: Any) -> Callable[[Builder], Builder]:
    """Decorator of a function ModelSpec -> nn.Module: enters it into the table as `name`.

    `defaults` are hyperparameters that this model wants other defaults for. Raises ConfigError, with file and line, on
    an unknown task or hyperparameter and on a name that another file has already.
    """

    def enter(function: Builder) -> Builder:
        file = function.__code__.co_filename
        place = f"{file}:{function.__code__.co_firstlineno}"
        entry = ModelEntry(name=name, tasks=tasks, defaults=defaults, place=place, function=function)
        _check(entry, file)
        _theirs[name] = entry
        return function

    return enter


def _check(entry: ModelEntry, file: str) -> None:
    known = options()
    unknown_tasks = [task for task in entry.tasks if task not in TASKS]
    unknown_defaults = [option for option in entry.defaults if option not in known or option == "model"]
    if isinstance(entry.tasks, str) or unknown_tasks or not entry.tasks:
        raise ConfigError(
            f"{entry.place}: @model({entry.name!r}) has tasks={entry.tasks!r}; allowed: {', '.join(TASKS)}"
        )
    if unknown_defaults:
        near = difflib.get_close_matches(unknown_defaults[0], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise ConfigError(f"{entry.place}: @model({entry.name!r}): {unknown_defaults[0]} is no hyperparameter; {hint}")
    there = OURS.get(entry.name) or _theirs.get(entry.name)
    if there and there.place.rpartition(":")[0] != file:
        raise ConfigError(
            f"{entry.place}: the name {entry.name!r} belongs to {there.place} already; give this model another name"
        )
