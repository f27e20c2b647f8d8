"""Test and validation rows of a channel that is sharded by host: every host holds some, and the main process needs all.

Only the training part may be larger than memory there; what is held out is gathered into it.
"""

import dataclasses

import torch

from training.batches import Batch, in_order
from training.data.memory import MemoryPart
from training.data.types import DataSet, Part
from training.errors import DataError
from training.processes import Processes

ROWS_AT_ONCE = 4096


def with_all_rows_held_out(data: DataSet, processes: Processes) -> DataSet:
    """The same data set with the test and validation rows of all hosts; every process has to call this."""
    validation = None if data.validation is None else _gathered(data.validation, processes)
    return dataclasses.replace(data, test=_gathered(data.test, processes), validation=validation)


def _gathered(part: Part, processes: Processes) -> Part:
    """One process of each host gives its host's rows."""
    own = list(in_order(part, ROWS_AT_ONCE)) if processes.local_rank == 0 else []
    batches: list[Batch] = [batch for found in processes.gather(own) for batch in found]
    if not batches:
        raise DataError("no host holds a row of the test part; prepare the data set with a larger --test-fraction")
    inputs, targets = (torch.cat(rows) for rows in zip(*batches, strict=True))
    return MemoryPart(inputs=inputs, targets=targets)
