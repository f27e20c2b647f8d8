"""Which rows are compared and recorded, and how a client would send them."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Generator

from inference import artifact
from training.data.memory import MemoryPart
from training.data.types import DataSet, Window
from training.export.examples import collect
from training.export.rows import NOT_A_WORD, Rows, Words, as_json, spread

IMAGE = artifact.InputSchema(kind="image", name="image", dtype="float32", shape=(2, 2), minimum=0.0, maximum=16.0)
TEXT = artifact.InputSchema(kind="text", name="text", dtype="int64", shape=(4,), tokenizer=artifact.TOKENIZER_NAME)
TABLE = artifact.InputSchema(
    kind="table",
    name="row",
    dtype="float32",
    shape=(2,),
    columns=(artifact.Column(name="age"), artifact.Column(name="colour", categories=("red", "blue"))),
)


def _images(count: int) -> MemoryPart:
    return MemoryPart(inputs=torch.arange(count).view(-1, 1, 1).expand(-1, 2, 2), targets=torch.arange(count))


class Shards:
    """A streamed part of windows of ten rows that notes which are read."""

    in_memory = False

    def __init__(self, windows: int) -> None:
        self.rows, self.read = 10 * windows, []

    def plan(self, generator: Generator | None) -> list[Window]:
        def read(number: int) -> tuple[torch.Tensor, torch.Tensor]:
            self.read.append(number)
            return torch.full((10, 2, 2), number, dtype=torch.uint8), torch.full((10,), number)

        return [Window(10, lambda number=number: read(number)) for number in range(self.rows // 10)]


def test_rows_in_memory_are_taken_evenly() -> None:
    assert spread(_images(1000), IMAGE, 5).targets.tolist() == [0, 125, 250, 375, 500, 625, 750, 875]
    assert len(spread(_images(1000), IMAGE).targets) == 512
    assert spread(_images(3), IMAGE).targets.tolist() == [0, 1, 2]


def test_of_a_streamed_part_only_the_first_shards_are_read() -> None:
    part = Shards(100)
    rows = spread(part, IMAGE, 15)
    assert part.read == [0, 1]
    assert rows.targets.tolist() == [0] * 10 + [1] * 5
    assert rows.batch(IMAGE).dtype == np.float32


def test_large_images_are_few() -> None:
    huge = artifact.InputSchema(
        kind="image", name="image", dtype="float32", shape=(1024, 1024, 3), minimum=0.0, maximum=255.0
    )
    assert len(spread(_images(1000), huge).targets) == 8


def test_a_text_of_the_ids_words_has_the_same_ids() -> None:
    tokenizer = artifact.Tokenizer.train(["well, it is good", "it is well"], 7)
    words = Words(tokenizer)
    ids = tokenizer.encode(["It is good?", "unheard of", ""], 4)
    texts = [words.text(row) for row in ids]
    assert texts[1:] == [f"{NOT_A_WORD} {NOT_A_WORD}", NOT_A_WORD]
    assert tokenizer.encode([text for text in texts if text is not None], 4).tolist() == ids.tolist()


def test_words_too_long_to_be_read_again_make_no_example() -> None:
    tokenizer = artifact.Tokenizer({"[PAD]": 0, "[UNK]": 1, "x" * 500: 2})
    assert Words(tokenizer).text(np.array([2, 2, 0, 0])) is None


def test_rows_as_json() -> None:
    assert as_json(torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8), IMAGE, None) == [[1, 2], [3, 4]]
    assert as_json(torch.tensor([31.5, 1.0]), TABLE, None) == {"age": 31.5, "colour": "blue"}
    assert as_json(torch.tensor([np.nan, np.nan]), TABLE, None) == {"age": None, "colour": None}
    words = Words(artifact.Tokenizer({"[PAD]": 0, "[UNK]": 1, "good": 2}))
    assert as_json(torch.tensor([2, 1, 2, 0], dtype=torch.int32), TEXT, words) == f"good {NOT_A_WORD} good"


@pytest.fixture
def dataset() -> Iterator[DataSet]:
    yield DataSet(
        task="image-classification",
        input=IMAGE,
        labels=("a", "b", "c"),
        train=_images(9),
        validation=None,
        test=_images(9),
        sha256="c" * 64,
    )


def test_examples_are_one_of_each_class_where_its_label_is_beyond_doubt(dataset: DataSet) -> None:
    rows = Rows(inputs=torch.zeros(5, 2, 2), targets=np.array([2, 0, 0, 2, 2]))
    outputs = np.array(
        [[0.4, 0.2, 0.4], [0.5, 0.45, 0.05], [0.8, 0.1, 0.1], [0.45, 0.2, 0.35], [0.1, 0.0, 0.9]], np.float32
    )
    chosen, examples = collect(dataset, rows, outputs, 0.1)
    assert chosen == [2, 4]
    assert [(example.target, example.prediction.label) for example in examples] == [("a", "a"), ("c", "c")]
    assert examples[0].prediction.score == pytest.approx(0.8)
    assert collect(dataset, rows, outputs, 0.9)[0] == [1, 0]
