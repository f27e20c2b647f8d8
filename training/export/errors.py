"""The one error of this package, and how another library's error is said in a line."""


class ExportError(Exception):
    """The model cannot leave the job in a form that was asked for; the message says which and what to change."""


def first_line(error: BaseException) -> str:
    """Type and first line: compilers write a page, with a traceback of their insides."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
