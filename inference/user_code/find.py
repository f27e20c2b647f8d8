"""A user's own serving code in a model's folder: where it lies, which version it is, and its import.

    model/code/inference.py       the functions (SAGEMAKER_PROGRAM names another file)
    model/code/requirements.txt   the distributions that must be installed
    model/code/lib/               packages that come along, put there by `pip install --target`

The program is imported under a name of its own, because `inference` is this package. What it imports from beside itself
is found by its plain name, as in AWS's container: `code/` and `code/lib/` come first on sys.path.
"""

import hashlib
import importlib.util
import itertools
import logging
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from inference.manifests.fields import ArtifactError

log = logging.getLogger(__name__)

DEFAULT_PROGRAM = "inference.py"
LIB = "lib"
HINT = "install it in the image or bring it along in code/lib"
_numbers = itertools.count(1)
_folders: Counter[Path] = Counter()  # of all user code in this process, by how many models have it
_importing = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Code:
    """The folder that is on sys.path, and the file in it that has the functions."""

    folder: Path
    program: Path

    @property
    def paths(self) -> list[str]:
        """What the program's imports are looked up in first."""
        return [str(self.folder), str(self.folder / LIB)]


def find_code(folder: Path, environ: Mapping[str, str]) -> Code | None:
    """The user's code of the model in `folder`, None where there is none.

    It lies in `code/`, or where the platform has put it: in the folder that SAGEMAKER_SUBMIT_DIRECTORY names.
    """
    name = environ.get("SAGEMAKER_PROGRAM") or DEFAULT_PROGRAM
    file = name.removesuffix(".py").replace(".", "/") + ".py"
    submitted = environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "").removeprefix("file://")
    places = [folder / "code", *([Path(submitted)] if submitted.startswith("/") else [])]
    found = next((place for place in places if (place / file).is_file()), None)
    if found is None:
        if environ.get("SAGEMAKER_PROGRAM"):
            log.warning("SAGEMAKER_PROGRAM is %r, but %s has no such file", name, " and ".join(map(str, places)))
        return None
    return Code(folder=found.resolve(), program=found.resolve() / file)


def import_program(code: Code) -> ModuleType:
    """The program as a module, until `forget`; raises ArtifactError with file and line where the import fails."""
    name = f"user_code_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, code.program)
    assert spec is not None and spec.loader is not None, "a file that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    with _importing:
        _come_first(code)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            hint = f"; {HINT}" if isinstance(error, ModuleNotFoundError) else ""
            raise refused(code, "the import fails", error, hint) from error
    return module


def forget(code: Code) -> None:
    """Take the folders and modules of code that no other model has out of Python's tables.

    What still holds a function of it can go on.
    """
    _folders[code.folder] -= 1
    if _folders[code.folder] > 0:
        return
    del _folders[code.folder]
    sys.path[:] = [path for path in sys.path if path not in code.paths]
    for name in list(_modules_of({code.folder})):
        sys.modules.pop(name, None)


def refused(code: Code, what: str, error: BaseException, hint: str = "") -> ArtifactError:
    """The complaint about the user's code, with the place of its innermost frame; the traceback goes into the log."""
    log.error("%s: %s", code.program, what, exc_info=error)
    return ArtifactError(f"{_place(code, error)}: {what} ({type(error).__name__}: {str(error)[:500]}){hint}")


def version_of(code: Code) -> str:
    """12 hex digits of the code's content; of what lies in `lib`, names and sizes."""
    digest = hashlib.sha256()
    for path in sorted(code.folder.rglob("*")):
        name = path.relative_to(code.folder)
        if "__pycache__" in name.parts or not path.is_file():
            continue
        digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        if name.parts[0] != LIB:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _come_first(code: Code) -> None:
    """Put the code's folders first on sys.path, and out of its way what another model's code calls by the same name."""
    sys.dont_write_bytecode = True  # the platform mounts the folder read-only, and elsewhere it is not ours to fill
    others = set(_folders) - {code.folder}
    brought = {path.stem for place in code.paths if Path(place).is_dir() for path in Path(place).iterdir()}
    for name in list(_modules_of(others)):
        if name.partition(".")[0] in brought:
            del sys.modules[name]
    _folders[code.folder] += 1
    sys.path[:] = code.paths + [path for path in sys.path if path not in code.paths]
    importlib.invalidate_caches()


def _modules_of(folders: set[Path]) -> Iterator[str]:
    """Names of the modules whose files lie in `folders`."""
    beginnings = tuple(f"{folder}/" for folder in folders)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(beginnings):
            yield name


def _place(code: Code, error: BaseException) -> str:
    """file:line of the mistake, as far in as the user's own files go."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, code)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(code.program)


def _is_own(file: str, code: Code) -> bool:
    path = Path(file)
    return path.is_relative_to(code.folder) and not path.is_relative_to(code.folder / LIB)
