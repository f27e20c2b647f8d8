"""How a verb ends: exit codes, and the one error that is shown without a traceback."""

DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 3  # 3: a gate said no
INTERRUPTED = 130  # what a shell gives for Ctrl-C


class SlipwayError(Exception):
    """Shown to the user as it is: what was wrong, the value, what is allowed, what to do next."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
