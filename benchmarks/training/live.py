"""The other end of benchmarks.training.worker: loops in processes of their own that train when they are told to."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.training.problems import Problem

ROOT = Path(__file__).resolve().parent.parent.parent
END_SECONDS = 120.0  # of a worker that evaluates and leaves


class Live:
    """A worker that runs the loop called `name`."""

    def __init__(self, name: str, problem_file: Path, scores_file: Path | None = None) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.training.worker", name, str(problem_file)]
        # mallopt is called by the loops that want it, and the plain one wants the C library's own thresholds
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
        environment["TMPDIR"] = str(problem_file.parent)
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self._log = problem_file.with_name(f"{name}.log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command + ([str(scores_file)] if scores_file else []),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def run(self, steps: int) -> None:
        """Returns once the steps are made; raises RuntimeError with the worker's output where it has ended."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # told below
        if not self._process.stdout.readline():
            raise RuntimeError(f"the loop {self.name!r} has ended:\n{self._said()}")

    def finish(self) -> None:
        """No more steps: it evaluates where it was told to, and ends; raises RuntimeError where that fails."""
        self._process.communicate(timeout=END_SECONDS)
        if self._process.returncode:
            raise RuntimeError(f"the loop {self.name!r} ended with {self._process.returncode}:\n{self._said()}")

    def close(self) -> None:
        """Leave nothing behind."""
        with self._process:
            self._process.kill()

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


@contextmanager
def workers(problem: Problem, names: Iterable[str], folder: Path, *, with_scores: bool = False) -> Iterator[list[Live]]:
    """One for each name, starting at the same time and finished at the end of the block.

    With scores, each writes `folder`/<name>.npy when it finishes.
    """
    problem_file = folder / f"{problem.name}.pickle"
    problem_file.write_bytes(pickle.dumps(problem))
    with ExitStack() as stack:
        started = []
        for name in names:
            started.append(Live(name, problem_file, folder / f"{name}.npy" if with_scores else None))
            stack.callback(started[-1].close)
        yield started
        for live in started:
            live.finish()
