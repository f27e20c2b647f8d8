"""The ways a run may end, each with its exit code.

0 done, 1 failed (any other exception), 2 bad configuration or data, 3 the gate said no,
143 stopped by SIGTERM or SIGINT.
"""

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_GATE_REFUSED = 3
EXIT_STOPPED = 128 + 15  # what a shell reports for a process that SIGTERM ended


class ConfigError(Exception):
    """Hyperparameters or the platform's input files are wrong; the message lists every problem."""


class DataError(Exception):
    """The training channel does not hold the data it should."""


class DivergedError(Exception):
    """The loss is no longer a number."""


class GateError(Exception):
    """The model is below the quality that was asked for."""


class StoppedError(Exception):
    """A signal asked the run to stop; a checkpoint is on disk."""


EXIT_CODES: dict[type[Exception], int] = {
    ConfigError: EXIT_BAD_INPUT,
    DataError: EXIT_BAD_INPUT,
    GateError: EXIT_GATE_REFUSED,
    StoppedError: EXIT_STOPPED,
}
