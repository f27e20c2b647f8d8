"""A user's own models: every `*.py` of a folder, imported by its path.

    load_user_models(Path("/opt/ml/input/data/code"))

The files register themselves through @model (training.models.registry). They may import each other by name: the folder
comes last on sys.path, so that nothing of ours or of an installed package is hidden by one of them.
"""

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from training.errors import ConfigError

MODULE_PREFIX = "training_user_models_"  # in sys.modules, where dataclasses and tracebacks look a module up


def load_user_models(folder: Path) -> tuple[str, ...]:
    """Import each file and return their names, sorted; a folder that is not there holds none.

    Loading a folder again replaces its models. Raises ConfigError with file and line for a file that does not import.
    """
    files = sorted(folder.glob("*.py")) if folder.is_dir() else []
    if files and str(folder) not in sys.path:
        sys.path.append(str(folder))
    for file in files:
        _import(file)
    return tuple(file.name for file in files)


def _import(file: Path) -> ModuleType:
    name = f"{MODULE_PREFIX}{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec and spec.loader, f"{file} is no Python file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ConfigError:  # of @model: it names the place itself
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        message = (
            f"{file}:{_line(error, file)}: {type(error).__name__}: {error}; correct the file of your `code` channel"
        )
        raise ConfigError(message) from error
    return module


def _line(error: Exception, file: Path) -> int:
    """Where in `file` it happened: the innermost of its own lines, or the line that does not parse."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno or 0
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else 0
