"""`train`: one job, start to exit code (see training.errors).

    SAGEMAKER_BASE_DIR=/tmp/job python -m training

Configuration is checked before torch is imported, so a mistyped key costs a tenth of a second, not a start.
"""

import gc
import os
import sys
import time
import traceback
from typing import NoReturn

from training.config import parse_hyperparameters
from training.environment import JobPaths, check_platform, job_paths, read_hyperparameters
from training.errors import EXIT_CODES, EXIT_DONE, EXIT_FAILED, GateError, StoppedError
from training.signals import StopFlag


def main() -> NoReturn:
    """Run the job of this process's environment and leave.

    os._exit skips the interpreter's orderly end, which takes torch 1.5 s and frees only memory: the exporter is
    reaped and every file is closed before.
    """
    stop = StopFlag()
    stop.install()
    code = run(job_paths(), stop)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(paths: JobPaths, stop: StopFlag) -> int:
    """Run one job; returns its exit code. Any failure's cause is the first line of <base>/output/failure."""
    paths.failure.unlink(missing_ok=True)
    try:
        config = parse_hyperparameters(read_hyperparameters(paths))
        check_platform(paths)
        started = time.perf_counter()
        gc.disable()  # collecting during the import of torch costs a fifth of it, and finds nothing
        from training.job import run_job

        gc.freeze()
        gc.enable()
        run_job(config, paths, stop, report, time.perf_counter() - started)
    except StoppedError as stopped:
        report(f"stopped by {stopped}")
        return EXIT_CODES[StoppedError]
    except Exception as error:
        _write_failure(paths, error)
        return EXIT_CODES.get(type(error), EXIT_FAILED)
    return EXIT_DONE


def report(line: str) -> None:
    """A line for people and for metric regexes, at once."""
    print(line, flush=True)


def _write_failure(paths: JobPaths, error: Exception) -> None:
    cause = str(error) if isinstance(error, GateError) else f"{type(error).__name__}: {error}"
    details = "".join(traceback.format_exception(error))
    print(f"{details}\n{cause}", file=sys.stderr)
    paths.failure.parent.mkdir(parents=True, exist_ok=True)
    paths.failure.write_text(f"{cause}\n\n{details}", encoding="utf-8")


if __name__ == "__main__":
    main()
