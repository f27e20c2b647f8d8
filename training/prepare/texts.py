"""Texts with labels, from files of rows."""

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from inference import artifact
from training.data.rows import open_rows
from training.data.text_rows import CHUNK_TEXTS, encode, read_cells, text_columns, text_schema, train_tokenizer
from training.prepare.options import PrepareOptions
from training.prepare.reader import NO_LABEL, NO_TEXT, Seen, Stored, digest
from training.prepare.row_files import RowNames, RowSource


class Texts:
    """All rows of the files. Texts that differ only in case or blanks are the same, as they are to the tokenizer."""

    def __init__(self, sources: Sequence[RowSource], options: PrepareOptions) -> None:
        self._sources = sources
        self._options = options
        self._names = RowNames(sources=sources)
        self._tokenizer: artifact.Tokenizer | None = None

    def scan(self) -> Iterator[Seen]:
        """Read every row for the digest of its text."""
        number = 0
        columns = [*text_columns(self._options), *filter(None, [self._options.group])]
        for source in self._sources:
            self._names.begin(number)
            for text, label, *group in read_cells(open_rows(source.path), columns):
                yield _see(text, label, group[0] if group else None, source.part)
                number += 1

    def name(self, number: int) -> str:
        """file row n"""
        return self._names.name(number)

    def settle(self, kept: NDArray[np.bool_], train: NDArray[np.bool_]) -> Stored:
        """int32 token ids, by a tokenizer of the training part's texts."""
        texts = (text for _, text in self._texts(train))
        self._tokenizer = train_tokenizer(texts, self._options.vocabulary_size)
        return Stored(
            input=text_schema(self._options.max_tokens),
            dtype="int32",
            vocabulary=self._tokenizer.size,
            tokenizer=self._tokenizer,
        )

    def read(self, kept: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
        """The second pass."""
        assert self._tokenizer is not None, "settle comes first"
        rows = self._texts(kept)
        while chunk := list(islice(rows, CHUNK_TEXTS)):
            numbers, texts = zip(*chunk, strict=True)
            yield np.array(numbers), encode(self._tokenizer, texts, self._options.max_tokens)

    def _texts(self, wanted: NDArray[np.bool_]) -> Iterator[tuple[int, str]]:
        """Number and text of the rows that are `wanted`."""
        column, _ = text_columns(self._options)
        numbers = count()
        for source in self._sources:
            for (text,), number in zip(read_cells(open_rows(source.path), [column]), numbers, strict=False):
                if wanted[number] and text is not None:
                    yield number, text


def _see(text: str | None, label: str | None, group: str | None, part: str) -> Seen:
    if label is None:
        return Seen(problem=NO_LABEL)
    if text is None:
        return Seen(label=label, problem=NO_TEXT)
    return Seen(
        content=digest(" ".join(unicodedata.normalize("NFC", text).casefold().split())),
        label=label,
        part=part,
        group=b"" if group is None else digest(group),
    )
