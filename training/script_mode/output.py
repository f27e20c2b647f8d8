"""What a script prints: passed on at once, its end kept, and its own error found in it.

SageMaker shows the first 1,024 characters of output/failure as the job's FailureReason, so the script's error stands
first there. A Python error is the line after a traceback's indented ones. Of several ranks (`[rank1]: ValueError: ...`)
the first that reported counts: the others fail because it has gone.
"""

import re
import signal
import sys
from collections import deque
from contextlib import suppress

KEPT_LINES = 40
KEPT_CHARACTERS = 1000  # of one line
OUT_OF_MEMORY = "SIGKILL; usually the machine ran out of memory: use a smaller batch or a larger instance"

RANK = re.compile(r"(\[[\w:]*rank\d+\]:\s?)?")
TRACEBACK = "Traceback (most recent call last):"
ERROR = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b(:.*)?$|[A-Za-z_][\w.]*\.[A-Za-z_]\w*: .*$")
LAUNCHERS = "torch.distributed.elastic."  # torchrun's own report that a process failed


class Output:
    """The output of one process, as far as it has come."""

    def __init__(self) -> None:
        self._rest = b""
        self._last: deque[str] = deque(maxlen=KEPT_LINES)
        self._errors: dict[str, str] = {}  # rank, as the line begins -> its last error
        self._in_traceback: set[str] = set()

    def write(self, chunk: bytes) -> None:
        """Pass bytes on to this process's own output, and look for errors in the lines that they complete."""
        with suppress(OSError):  # nobody reads any more; the script must not wait for that
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > 64 * KEPT_CHARACTERS:  # a bar that is drawn over and over, without an end of line
            self._rest = self._rest[-KEPT_CHARACTERS:]

    def close(self) -> None:
        """The last line may have no end."""
        if self._rest:
            self._line(self._rest)
        self._rest = b""

    def _line(self, raw: bytes) -> None:
        line = raw.rstrip(b"\r").rsplit(b"\r", 1)[-1].decode("utf-8", "replace")[:KEPT_CHARACTERS].rstrip()
        if not line:
            return
        self._last.append(line)
        found = RANK.match(line)
        rank = found[0] if found else ""
        text = line[len(rank) :]
        if text == TRACEBACK:
            self._in_traceback.add(rank)
        elif not text.startswith(" ") and (rank in self._in_traceback or ERROR.match(text)):
            self._in_traceback.discard(rank)
            if not text.startswith(LAUNCHERS):
                self._errors[rank] = text

    def cause(self, program: str, code: int) -> str:
        """Why a program that ended with `code` (negative: by that signal) failed, in one line."""
        if self._errors:
            return next(iter(self._errors.values()))
        if code == -signal.SIGKILL or code == 128 + signal.SIGKILL:
            return f"{program} was ended by {OUT_OF_MEMORY}"
        if code < 0:
            return f"{program} was ended by {signal.Signals(-code).name}"
        return self._last[-1] if self._last else f"{program} ended with exit code {code} and printed nothing"

    def tail(self) -> str:
        """The last lines, oldest first."""
        return "\n".join(self._last)
