"""The user's source in <base>/code: from an archive in S3, a folder, an archive, or the channel `code`.

As in the toolkit, what lies in <base>/code already is left as it is: nothing is unpacked over it. Archives are
unpacked with Python's `data` filter (PEP 706), which refuses paths and links that lead outside, devices and owners.
"""

import shutil
import tarfile
import tempfile
from pathlib import Path

from training.environment import JobPaths
from training.errors import ConfigError
from training.script_mode.download import download
from training.script_mode.request import SUBMITTED, Script

CODE_CHANNEL = "code"
ARCHIVE = "sourcedir.tar.gz"
SHOWN_FILES = 10


def prepare_source(script: Script, paths: JobPaths) -> Path:
    """The folder with the script's source. Raises ConfigError when there is none or it cannot be unpacked."""
    code = paths.base / "code"
    code.mkdir(parents=True, exist_ok=True)
    if any(code.iterdir()):
        return code
    with tempfile.TemporaryDirectory(dir=paths.base, prefix="source-") as scratch:
        source = _locate(script, paths, Path(scratch))
        if source.is_dir():
            shutil.copytree(source, code, dirs_exist_ok=True)
        else:
            _unpack(source, Path(scratch) / "unpacked", code)
    return code


def _locate(script: Script, paths: JobPaths, scratch: Path) -> Path:
    """A folder, or an archive, that holds the source."""
    if script.submitted.startswith("s3://"):
        archive = scratch / ARCHIVE
        download(script.submitted, archive, str(script.platform.get("sagemaker_region") or ""))
        return archive
    if script.submitted:
        given = Path(script.submitted)
        if not given.exists():
            raise ConfigError(
                f"{SUBMITTED} is {script.submitted!r}, which does not exist; give an s3:// URI of {ARCHIVE}"
            )
        return given
    channel = paths.base / "input" / "data" / CODE_CHANNEL
    if not channel.is_dir():
        raise ConfigError(
            f"sagemaker_program is {script.program!r}, but there is no source: give {SUBMITTED} (s3://.../{ARCHIVE}), "
            f"or a channel named {CODE_CHANNEL!r} (slipway:training.code), or an image with {paths.base}/code"
        )
    packed = channel / ARCHIVE
    return packed if packed.is_file() else channel


def _unpack(archive: Path, scratch: Path, code: Path) -> None:
    """All of the archive or nothing: a refused one leaves `code` empty."""
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
    except tarfile.FilterError as error:
        raise ConfigError(
            f"{archive.name}: {error}; pack the source again so that each of its paths lies inside of it"
        ) from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ConfigError(f"{archive} is not an archive of source code ({error}); expected a .tar.gz") from error
    for child in scratch.iterdir():
        child.rename(code / child.name)


def find_program(script: Script, code: Path) -> Path:
    """The program's file in `code`. Raises ConfigError, with what there is, when it is none."""
    program = (code / script.program).resolve()
    if program.is_file() and program.is_relative_to(code.resolve()):
        return program
    found = sorted(path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file())
    shown = ", ".join(found[:SHOWN_FILES]) + (
        f" and {len(found) - SHOWN_FILES} more" if len(found) > SHOWN_FILES else ""
    )
    raise ConfigError(
        f"sagemaker_program is {script.program!r}, which is no file in {code}; there: {shown or 'nothing'}"
    )
