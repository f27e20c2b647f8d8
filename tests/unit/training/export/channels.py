"""Data sets that fit the kinds of tests.unit.training.export.zoo."""

import torch

from inference import artifact
from tests.unit.training.export import zoo
from training.data.memory import MemoryPart
from training.data.types import DataSet

TASKS = {"convolutions": "image-classification", "recurrent": "text-classification", "line": "tabular-regression"}
IMAGE = artifact.InputSchema(kind="image", name="image", dtype="float32", shape=(8, 8), minimum=0.0, maximum=16.0)
SCHEMAS = {
    "convolutions": IMAGE,
    "recurrent": artifact.InputSchema(
        kind="text", name="text", dtype="int64", shape=(zoo.TOKENS,), tokenizer=artifact.TOKENIZER_NAME
    ),
    "line": artifact.InputSchema(
        kind="table",
        name="row",
        dtype="float32",
        shape=(4,),
        columns=tuple(artifact.Column(name=name) for name in "abcd"),
    ),
}
LABELS = {"convolutions": tuple("0123456789"), "recurrent": ("bad", "fair", "good"), "line": ()}


def data_set(kind: str) -> DataSet:
    """100 rows for the kind, the same in both parts."""
    inputs = torch.from_numpy(zoo.batch(kind, 100))
    targets = torch.arange(100) % len(LABELS[kind]) if LABELS[kind] else torch.linspace(1900, 2100, 100)
    part = MemoryPart(inputs=inputs.to(torch.int32) if kind == "recurrent" else inputs, targets=targets)
    words = {f"word{number}": number for number in range(2, zoo.VOCABULARY)}
    return DataSet(
        task=TASKS[kind],
        input=SCHEMAS[kind],
        labels=LABELS[kind],
        train=part,
        validation=None,
        test=part,
        sha256="d" * 64,
        tokenizer=artifact.Tokenizer({"[PAD]": 0, "[UNK]": 1, **words}) if kind == "recurrent" else None,
        vocabulary=zoo.VOCABULARY if kind == "recurrent" else 0,
    )
