"""Texts and labels in CSV, JSONL or Parquet -> DataSet of token ids; the tokenizer learns from the training part only.

    text,label
    "what a film",good

The columns may have other names: hyperparameters text_column and target.
"""

import numpy as np
import torch

from training.data.channel import Channel, files_by_part
from training.data.labels import check_labels, sort_labels
from training.data.parts import check_classes, in_memory, split_rows
from training.data.rows import RowFile, open_rows, row_list
from training.data.split import Rows
from training.data.text_rows import encode, read_cells, text_columns, text_schema, train_tokenizer
from training.data.types import DataSet
from training.errors import DataError


def load_text(channel: Channel) -> DataSet:
    """All files of the channel; raises DataError that names files, columns and rows."""
    options = channel.options
    texts, names, given = _read_all(channel)
    labels = sort_labels(names)
    check_labels(labels, f"column {text_columns(options)[1]!r} of {', '.join(channel.names[:3])}")
    numbers = {label: number for number, label in enumerate(labels)}
    targets = np.array([numbers[name] for name in names], np.int64)
    rows = split_rows(targets, len(targets), options, given)
    check_classes(targets, labels, rows)
    tokenizer = train_tokenizer((texts[row] for row in rows["train"]), options.vocabulary_size)
    ids = torch.from_numpy(encode(tokenizer, texts, options.max_tokens))
    return DataSet(
        task=options.task,
        input=text_schema(options.max_tokens),
        labels=labels,
        sha256=channel.sha256(),
        tokenizer=tokenizer,
        vocabulary=tokenizer.size,
        **in_memory(ids, torch.from_numpy(targets), rows),
    )


def _read_all(channel: Channel) -> tuple[list[str], list[str], dict[str, Rows] | None]:
    """Texts and names of the labels of all rows, and the rows of each part where the files say."""
    texts: list[str] = []
    labels: list[str] = []
    given: dict[str, Rows] = {}
    for part, files in files_by_part(channel).items():
        start = len(texts)
        for file in files:
            _read(open_rows(channel.path(file)), text_columns(channel.options), texts, labels)
        given[part] = np.arange(start, len(texts))
    return texts, labels, None if "" in given else given


def _read(file: RowFile, columns: tuple[str, str], texts: list[str], labels: list[str]) -> None:
    """Append the file's rows; raises DataError where a text or a label is missing."""
    missing = []
    for number, (text, label) in enumerate(read_cells(file, columns), start=1):
        if text is None or label is None:
            missing.append(number)
            continue
        texts.append(text)
        labels.append(label)
    if missing:
        raise DataError(
            f"{file.path.name}: no {columns[0]!r} or no {columns[1]!r} in {row_list(missing)}; fill them in, or "
            "leave the rows out (`python -m training.prepare` does)"
        )
