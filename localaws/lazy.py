"""Tables of operations that are loaded when they are first asked for: a start need not load what few sessions use."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module

from localaws.cloud import Handler


class Operations(Mapping[str, Handler]):
    """The OPERATIONS of modules, by name of the module."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules

    @cached_property
    def _all(self) -> dict[str, Handler]:
        return {name: handler for module in self._modules for name, handler in import_module(module).OPERATIONS.items()}

    def __getitem__(self, name: str) -> Handler:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)
