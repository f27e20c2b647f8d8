"""Tables (CSV with a header, or Parquet) -> DataSet: float32 rows, a category as its index, a missing value as NaN.

    name,age,town,rich          columns of numbers and of categories; the last one, or the one that the
    Ann,31,Rome,yes             hyperparameter `target` names, is predicted

The files that scikit-learn brings (breast_cancer.csv, wine_data.csv, iris.csv) have no names but a first line of their
own, and are read as they are.
"""

from collections.abc import Sequence

import numpy as np
import torch

from training.data.channel import Channel, files_by_part
from training.data.parts import check_classes, in_memory, split_rows
from training.data.rows import RowFile, open_rows, row_list
from training.data.table_rows import EncodedRows, encode
from training.data.table_schema import TableSchema, find_schema
from training.data.types import DataSet
from training.errors import DataError


def load_table(channel: Channel) -> DataSet:
    """All files of the channel; raises DataError that names files, columns and rows."""
    by_part = files_by_part(channel)
    files = {name: open_rows(channel.path(name)) for names in by_part.values() for name in names}
    schema = find_schema(list(files.values()), channel.options.target, channel.options.task)
    encoded = {part: _read(schema, [files[name] for name in names]) for part, names in by_part.items()}
    targets = np.concatenate([rows.targets for rows in encoded.values()])
    counts = [len(rows.targets) for rows in encoded.values()]
    starts = np.cumsum([0, *counts])
    given = {part: np.arange(start, start + n) for part, start, n in zip(encoded, starts, counts, strict=False) if part}
    rows = split_rows(targets if schema.labels else None, len(targets), channel.options, given or None)
    if schema.labels:
        check_classes(targets, schema.labels, rows)
    inputs = torch.from_numpy(np.concatenate([rows.inputs for rows in encoded.values()]))
    return DataSet(
        task=channel.options.task,
        input=schema.input,
        labels=schema.labels,
        sha256=channel.sha256(),
        **in_memory(inputs, torch.from_numpy(targets), rows),
    )


def _read(schema: TableSchema, files: Sequence[RowFile]) -> EncodedRows:
    """All rows of the files; every row has to have a target."""
    batches = list(encode(schema, files))
    names = ", ".join(file.path.name for file in files)
    if not batches:
        raise DataError(f"{names} holds the columns' names but no rows; upload the file again")
    rows = EncodedRows(
        inputs=np.concatenate([batch.inputs for batch in batches]),
        targets=np.concatenate([batch.targets for batch in batches]),
    )
    missing = np.flatnonzero(rows.missing)
    if len(missing):
        raise DataError(
            f"{names}: the target column {schema.target!r} has no value in {row_list(missing + 1)}; fill them in, or "
            "leave the rows out (`python -m training.prepare` does)"
        )
    return rows
