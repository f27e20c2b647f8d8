"""`train`: one job, start to exit code (see training.errors).

    SAGEMAKER_BASE_DIR=/tmp/job python -m training

Configuration is checked before torch is imported, so a mistyped key costs a tenth of a second, not a start. A job of
several processes is handed to torchrun, which runs this module again in each of them (training.launcher); a job that
names a script of the user's own is handed to that (training.script_mode).
"""

import gc
import os
import sys
import time
import traceback
from typing import NoReturn

from training import script_mode
from training.config import TrainingConfig, parse_hyperparameters
from training.environment import JobPaths, check_platform, job_paths, read_cluster, read_hyperparameters
from training.errors import EXIT_CODES, EXIT_DONE, EXIT_FAILED, StoppedError
from training.failures import cause
from training.models.registry import get, load_user_models
from training.progress import print_line
from training.signals import StopFlag


def main() -> NoReturn:
    """Run the job of this process's environment and leave.

    os._exit skips the interpreter's orderly end, which takes torch 1.5 s and frees only memory: the helpers are
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
    is_worker = "RANK" in os.environ
    if not is_worker:
        paths.failure.unlink(missing_ok=True)
    try:
        hyperparameters = read_hyperparameters(paths)
        if script_mode.asked_for(hyperparameters):
            return script_mode.run(paths, hyperparameters, stop)
        load_user_models(paths.code)
        config = parse_hyperparameters(hyperparameters)
        check_platform(paths)
        if not is_worker and (processes := processes_here(config, paths)):
            return start_processes(paths, processes, stop)
        work(config, paths, stop)
    except StoppedError as stopped:
        print_line(f"stopped by {stopped}")
        return EXIT_CODES[StoppedError]
    except Exception as error:
        write_failure(paths, error)
        return EXIT_CODES.get(type(error), EXIT_FAILED)
    return EXIT_DONE


def work(config: TrainingConfig, paths: JobPaths, stop: StopFlag) -> None:
    """This process's part of the job."""
    started = time.perf_counter()
    gc.disable()  # collecting during the import of torch costs a fifth of it, and finds nothing
    from training.job import run_job

    gc.freeze()
    gc.enable()
    run_job(config, paths, stop, time.perf_counter() - started)


def processes_here(config: TrainingConfig, paths: JobPaths) -> int:
    """How many processes this host has to start; 0 where this process is enough."""
    from training.launcher import visible_gpus

    if get(config.model.model).is_estimator:
        return 0
    wanted = config.loop.processes or max(1, visible_gpus())
    return wanted if wanted > 1 or len(read_cluster(paths).hosts) > 1 else 0


def start_processes(paths: JobPaths, processes: int, stop: StopFlag) -> int:
    """Hand the job to torchrun; returns its exit code."""
    from training.launcher import Launch, launch

    return launch(Launch(cluster=read_cluster(paths), processes=processes), stop, print_line)


def write_failure(paths: JobPaths, error: Exception) -> None:
    """The cause first. Of several processes the one that fails first has the word: the others fall over after it."""
    details = "".join(traceback.format_exception(error))
    line = cause(error)
    print(f"{details}\n{line}", file=sys.stderr)
    try:
        paths.failure.parent.mkdir(parents=True, exist_ok=True)
        with paths.failure.open("x", encoding="utf-8") as stream:
            stream.write(f"{line}\n\n{details}")
    except FileExistsError:
        pass


if __name__ == "__main__":
    main()
