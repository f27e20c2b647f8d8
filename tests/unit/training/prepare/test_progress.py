"""Progress: a bar on a terminal, lines elsewhere; what passes through is never changed."""

import io
import sys

import pytest

from training.prepare.progress import Bar, Lines, Silent, progress


@pytest.mark.parametrize("kind", [Bar, Lines, Silent])
def test_everything_passes(kind: type) -> None:
    chunks = [[1, 2], [3], []]
    assert list(kind().track("write", chunks, 3, len)) == chunks


def test_lines_count_rows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.prepare.progress.LINE_EVERY_SECONDS", -1.0)
    list(Lines().track("write", [[1, 2], [3]], 3, len))
    assert capsys.readouterr().err == "write: 2 rows of 3\nwrite: 3 rows of 3\nwrite: 3 rows, done\n"


def test_a_terminal_gets_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(progress(), Lines)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    shown = progress()
    assert isinstance(shown, Bar)
    list(shown.track("index", range(3), 3))
    shown_text = terminal.getvalue()
    assert "index" in shown_text and "3/3" in shown_text
