"""The helper's life: what it answers, how it fails, and that it never outlives its purpose."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.helper import Helper, HelperError

ROOT = Path(__file__).resolve().parents[4]
END_SECONDS = 30
ORPHANED = """
import os, sys, threading
from training.helper import Helper
reader, writer = os.pipe()
helper = Helper("orphan", lambda: os.write(writer, b"1") and threading.Event().wait(), print)
os.read(reader, 1)
print(helper.pid, flush=True)
"""


def _nothing() -> None:
    return None


def _add(state: int, message: int) -> int:
    return state + message


def _ten() -> int:
    return 10


class PeculiarError(Exception):
    """Cannot be pickled: its arguments are not those of its constructor."""

    def __init__(self, left: int, right: int) -> None:
        super().__init__(f"{left} against {right}")


def _raise(error: Callable[[], Exception]) -> Callable[..., Any]:
    def step(*_: object) -> None:
        raise error()

    return step


def _is_gone(pid: int) -> bool:
    """Whether the process ends within END_SECONDS."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], END_SECONDS)[0])
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_the_last_step_of_several_gives_the_answer(start_method: str) -> None:
    with Helper("adder", _ten, _add, _add, start_method=start_method) as helper:
        helper.send(20)
        assert helper.ask(30) == 60
        pid = helper.pid
    assert _is_gone(pid)


def test_messages_and_answers_may_be_large() -> None:
    with Helper("joiner", _nothing, lambda _, message: message, lambda state, message: state + message) as helper:
        helper.send(b"a" * 2**20)
        assert helper.ask(b"b" * 2**20) == b"a" * 2**20 + b"b" * 2**20


def test_a_failing_step_raises_its_own_exception_with_the_traceback_as_cause() -> None:
    with (
        Helper("faulty", _nothing, _raise(lambda: KeyError("weights"))) as helper,
        pytest.raises(KeyError, match="weights") as caught,
    ):
        helper.ask(1)
    assert isinstance(caught.value.__cause__, HelperError)
    assert "in the faulty helper:\nTraceback" in str(caught.value.__cause__)


def test_an_exception_that_cannot_travel_arrives_as_text() -> None:
    with (
        Helper("faulty", _nothing, _raise(lambda: PeculiarError(1, 2))) as helper,
        pytest.raises(HelperError, match="PeculiarError: 1 against 2"),
    ):
        helper.ask(1)


def test_an_end_of_file_in_a_step_is_a_failure_and_not_the_parents_end() -> None:
    with (
        Helper("reader", _nothing, _raise(lambda: EOFError("half a file"))) as helper,
        pytest.raises(EOFError, match="half a file"),
    ):
        helper.ask(1)


def test_a_failing_warm_up_is_known_before_anything_is_asked() -> None:
    with Helper("faulty", _raise(lambda: ImportError("no compiler")), _add, _add) as helper:
        helper.check()
        assert _is_gone(helper.pid)
        helper.send(1)
        with pytest.raises(ImportError, match="no compiler"):
            helper.check()
        with pytest.raises(HelperError, match=r"the faulty helper ended early \(exit code 0\)"):
            helper.ask(1)


def test_a_killed_child_is_an_error_that_names_the_signal() -> None:
    with Helper("victim", _ten, _add) as helper:
        os.kill(helper.pid, signal.SIGKILL)
        with pytest.raises(HelperError, match=r"the victim helper ended early \(exit code -9\)"):
            helper.ask(1)


@pytest.mark.parametrize("size", [1, 2**22])
def test_a_hanging_child_is_given_up_whether_it_reads_or_not(size: int) -> None:
    with (
        Helper("sleeper", threading.Event().wait, _add) as helper,
        pytest.raises(HelperError, match=r"the sleeper helper gave no answer in 0.2 s"),
    ):
        helper.ask(b"x" * size, timeout_seconds=0.2)


def test_stop_signals_are_the_parents_business() -> None:
    reader, writer = os.pipe()

    def warm() -> None:
        os.write(writer, b"1")

    with Helper("deaf", warm, lambda _, message: message) as helper:
        os.read(reader, 1)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(helper.pid, number)
        assert helper.ask("still here") == "still here"
    os.close(reader)
    os.close(writer)


def test_closing_without_a_request_ends_and_reaps_at_any_time() -> None:
    helper = Helper("idle", threading.Event().wait, _add)
    pid = helper.pid
    started = time.monotonic()
    helper.close()
    helper.close()
    assert time.monotonic() - started < END_SECONDS
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "sys.exit()", "raise ValueError"])
def test_the_child_ends_with_its_parent_however_that_ends(end: str) -> None:
    command = [sys.executable, "-c", ORPHANED + end]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.wait(END_SECONDS)
    assert _is_gone(pid)
