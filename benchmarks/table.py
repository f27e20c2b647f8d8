"""Markdown."""

from collections.abc import Iterable, Sequence


def show(title: str, about: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a heading, a paragraph and a table; `rows` may be a generator, and show as they are measured."""
    print(f"\n### {title}\n\n{about}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
