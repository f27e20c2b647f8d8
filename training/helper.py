"""A process beside the training: it prepares something slow while the loop trains, then does one piece of work with it.

Importing the compiler stack, tracing a model or warming a plotting library takes seconds, but needs none of the trained
weights. So a child is forked right after `import torch`; after the last step only a short piece of work is left:

    with Helper("exporter", import_and_trace, write_program) as helper:
        train()
        size_bytes = helper.ask(weights)

The child runs `warm()`, then one step for each message: what a step returns is the state that the next one gets, and
what the last step returns is the answer. Fork shares the imported torch; where it is unsafe or missing (macOS, Windows)
the child is spawned and imports for itself, and `warm` and the steps must be importable functions.
"""

import atexit
import ctypes
import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

START_METHOD = "fork" if sys.platform == "linux" else "spawn"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
ANSWER_TIMEOUT_SECONDS = 600.0
REAP_TIMEOUT_SECONDS = 10.0

Warm = Callable[[], Any]
Step = Callable[[Any, Any], Any]


class HelperError(Exception):
    """The helper ended or hung; where it failed by itself, its own exception is raised, with its traceback as cause."""


class Helper:
    """A running helper process called `name`; always `close` it.

    Start it from the main thread (Linux ends the child with the thread that started it) and before the first tensor
    operation: OpenMP's threads do not survive a fork, nor does CUDA. The loop leaves one core free, for one helper; a
    second one should have a `niceness` (of 10, say), or it takes its time from both.
    """

    def __init__(
        self, name: str, warm: Warm, *steps: Step, niceness: int = 0, start_method: str = START_METHOD
    ) -> None:
        context = multiprocessing.get_context(start_method)
        self.name = name
        self._messages_left = len(steps)
        self._connection, theirs = context.Pipe()
        # typeshed's BaseContext has no Process, every real context has
        self._process = context.Process(  # type: ignore[attr-defined]
            target=_live,
            args=(theirs, os.getpid(), niceness, warm, steps),
            name=f"{name} helper",
            daemon=True,
        )
        sys.stdout.flush()  # or the child would print what is still in the buffer once more
        sys.stderr.flush()
        self._process.start()
        theirs.close()
        atexit.register(self.close)  # before multiprocessing's own end, which would wait for the child for ever

    @property
    def pid(self) -> int:
        """The child's process id."""
        found: int = self._process.pid
        return found

    def send(self, message: Any) -> None:
        """Give the child the message for its next step and go on; a failure there is raised by `ask`.

        `message` is picklable plain data; above some 64 KiB this waits until the child has come to read it.
        """
        assert self._messages_left > 1, "the last message is for `ask`"
        self._send(message)

    def check(self) -> None:
        """Raise what a step has raised so far, or HelperError where the child has ended; does not wait.

        A job that trains for hours should not learn at its end that nothing can come of it.
        """
        if self._connection.poll():
            self._answer("ended early")

    def ask(self, message: Any, timeout_seconds: float = ANSWER_TIMEOUT_SECONDS) -> Any:
        """Give the child the last message and return its answer.

        Raises what a step raised, or HelperError where the child ended, was killed or took longer than the timeout.
        """
        assert self._messages_left == 1, f"{self._messages_left} messages are left, `ask` sends the last"
        expired = threading.Event()
        timer = threading.Timer(timeout_seconds, self._expire, (expired,))
        timer.start()
        try:
            self._send(message)
            self._connection.poll(None)
            return self._answer(f"gave no answer in {timeout_seconds:g} s" if expired.is_set() else "ended early")
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the child, finished or not, and reap it; closing again does nothing."""
        if self._connection.closed:
            return
        atexit.unregister(self.close)
        self._connection.close()
        self._process.kill()
        self._process.join(REAP_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, message: Any) -> None:
        self._messages_left -= 1
        try:
            self._connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the child has ended; what it had to say waits in the pipe

    def _answer(self, otherwise: str) -> Any:
        """What the child has sent, unpacked; HelperError that says `otherwise` where it ended without a word."""
        try:
            error, value = self._connection.recv()
        except (EOFError, OSError) as failure:
            self._process.join(REAP_TIMEOUT_SECONDS)
            raise HelperError(f"the {self.name} helper {otherwise} (exit code {self._process.exitcode})") from failure
        if error is not None:
            raise error from HelperError(f"in the {self.name} helper:\n{value}")
        return value

    def _expire(self, expired: threading.Event) -> None:
        """Break off both a blocked send and a blocked receive."""
        expired.set()
        self._process.kill()


def _live(connection: Connection, parent: int, niceness: int, warm: Warm, steps: tuple[Step, ...]) -> None:
    """The child's life: warm up, take a message for each step, answer with (None, result) or (exception, traceback)."""
    _belong_to(parent, niceness)
    try:
        state = warm()
        for step in steps:
            state = step(state, connection.recv())
        answer = pickle.dumps((None, state))
    except Exception as error:  # whatever went wrong belongs to the parent, which reports it as the job's failure
        answer = _portable(error)
    try:
        connection.send_bytes(answer)
    except BrokenPipeError:
        pass  # the parent has gone without its answer


def _portable(error: Exception) -> bytes:
    """The exception for another process: itself where pickle can carry it, else a HelperError with its text."""
    details = traceback.format_exc()
    try:
        answer = pickle.dumps((error, details))
        pickle.loads(answer)
    except Exception:  # an exception's class may do anything while it is pickled
        answer = pickle.dumps((HelperError(f"{type(error).__name__}: {error}"), details))
    return answer


def _belong_to(parent: int, niceness: int) -> None:
    """Stop signals may go to the whole process group, but only the parent decides; and no parent means no purpose."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.disable()  # collecting during imports costs a third of their time, and this process is short
    if hasattr(os, "nice"):
        os.nice(niceness)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
