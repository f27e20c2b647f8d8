"""SIGTERM and SIGINT ask for a stop; the loop looks at the flag after each step.

SageMaker sends SIGTERM and, 120 s later, SIGKILL. The handler only sets a flag: saving from inside a handler could
catch the weights halfway through an update.
"""

import signal
from types import FrameType


class StopFlag:
    """False until one of the stop signals arrives."""

    def __init__(self) -> None:
        self.signal_name = ""

    def install(self) -> None:
        """Take over SIGTERM and SIGINT of this process (main thread only)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name

    def __bool__(self) -> bool:
        return bool(self.signal_name)
