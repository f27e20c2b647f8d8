"""What is the same for texts in a job's channel and in the data step: columns, tokenizer, ids. Needs no torch."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from inference import artifact
from training.data.cells import as_texts
from training.data.rows import RowFile
from training.errors import DataError
from training.options import DataOptions

TEXT_COLUMN, LABEL_COLUMN = "text", "label"
CHUNK_TEXTS = 4096  # tokenized at once: ids are int64 until they are stored


def text_columns(options: DataOptions) -> tuple[str, str]:
    """Names of the columns of the text and of the label."""
    return options.text_column or TEXT_COLUMN, options.target or LABEL_COLUMN


def read_cells(file: RowFile, columns: Sequence[str]) -> Iterator[tuple[str | None, ...]]:
    """The `columns` of each row, without blanks around them; None where a cell is missing or blank."""
    for batch in file.batches(columns, missing=("",)):
        yield from zip(*(as_texts(array).to_pylist() for array in batch.columns), strict=True)


def train_tokenizer(texts: Iterable[str], vocabulary_size: int) -> artifact.Tokenizer:
    """From the texts of the training part; raises DataError where they hold no word."""
    try:
        return artifact.Tokenizer.train(texts, vocabulary_size)
    except ValueError as error:
        raise DataError(str(error)) from error


def encode(tokenizer: artifact.Tokenizer, texts: Sequence[str], max_tokens: int) -> NDArray[np.int32]:
    """Ids (n, max_tokens), half the memory of the tokenizer's int64."""
    ids = np.empty((len(texts), max_tokens), np.int32)
    for start in range(0, len(texts), CHUNK_TEXTS):
        chunk = list(texts[start : start + CHUNK_TEXTS])
        ids[start : start + len(chunk)] = tokenizer.encode(chunk, max_tokens)
    return ids


def text_schema(max_tokens: int) -> artifact.InputSchema:
    """Of texts cut or padded to `max_tokens` ids."""
    return artifact.InputSchema(
        kind="text", name="text", dtype="int64", shape=(max_tokens,), tokenizer=artifact.TOKENIZER_NAME
    )
