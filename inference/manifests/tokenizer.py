"""The tokenizer of text models: lower case, words and punctuation marks, one id each.

Files are in the format of Hugging Face's `tokenizers` (WordLevel), so other tools read them too. Training and serving
use the same object, so a text has the same ids in both. `tokenizers` is imported with the first object.

    tokenizer = Tokenizer.train(["so good!", "so bad"], 100)
    tokenizer.encode(["so what!"], 4)        # [[2, 1, 3, 0]]: `so`, unknown, `!`, padding
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.manifests.fields import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PADDING, UNKNOWN = "[PAD]", "[UNK]"
PADDING_ID, UNKNOWN_ID = 0, 1
MAX_FILE_BYTES = 128 * 2**20
MAX_WORDS = 2_000_000
# Tokenizing costs a microsecond a character. Words have five letters on the average, so this loses none of a text that
# is written by a person, and a server is not stopped for twenty seconds by 25 MB of something else.
CHARACTERS_PER_TOKEN = 32
# Words and marks of a text in ASCII, as WhitespaceSplit and Punctuation find them (`\s` is wider).
_ASCII_PARTS = re.compile(r"[!-/:-@\[-`{-~]|[^ \t\n\r\f\v!-/:-@\[-`{-~]+")
_STEPS = ("normalizer", "pre_tokenizer", "post_processor", "truncation", "padding", "decoder")


class Tokenizer:
    """Texts -> ids. Make one with `train` or `load`."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        """`vocabulary` is word -> id, with `PADDING` as 0, `UNKNOWN` as 1, and ids without gaps."""
        self._tokenizer = _assemble(vocabulary)
        self._ids = vocabulary
        self.size = len(vocabulary)
        """Number of ids, padding and unknown included."""

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int) -> "Tokenizer":
        """The `vocabulary_size` - 2 most frequent words and marks of `texts`; of equally frequent ones, the first by
        code point. The order of the texts makes no difference. Raises ValueError where there is no word at all.
        """
        tokenizer = _assemble({PADDING: PADDING_ID, UNKNOWN: UNKNOWN_ID})
        from tokenizers import trainers

        specials = [PADDING, UNKNOWN]
        trainer = trainers.WordLevelTrainer(
            vocab_size=vocabulary_size, special_tokens=specials, show_progress=False, min_frequency=1
        )
        tokenizer.train_from_iterator(texts, trainer)
        # Assembled anew: the trainer's special tokens are also matched in texts, and "[PAD]" in one is no padding.
        vocabulary: dict[str, int] = tokenizer.get_vocab(with_added_tokens=False)
        if len(vocabulary) <= len(specials):
            raise ValueError("the texts hold no word, so there is nothing to learn from; check the column of the texts")
        return cls(vocabulary)

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read what `save` wrote; raises ArtifactError for anything else.

        Only the vocabulary is taken from the file; the steps around it must be ours, and are made here.
        """
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"it has {path.stat().st_size} bytes, allowed are {MAX_FILE_BYTES}")
            document = json.loads(path.read_bytes())
            tokenizer = cls(_vocabulary(document))
            _check_steps(document, json.loads(tokenizer._tokenizer.to_str()))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ArtifactError(
                f"{path} is not a tokenizer that `train` wrote ({type(error).__name__}: {str(error)[:200]}); "
                "copy or train the artifact again"
            ) from error
        return tokenizer

    def save(self, path: Path) -> None:
        """Write the tokenizer; equal tokenizers give equal files."""
        self._tokenizer.save(str(path), pretty=False)

    def encode(self, texts: list[str], max_tokens: int) -> "NDArray[np.int64]":
        """Ids int64 (N, max_tokens): the first `max_tokens` words and marks, then padding.

        A text without any word is one unknown word, so no row is all padding. No more than
        `max_tokens` * CHARACTERS_PER_TOKEN characters are read. Raises ValueError for half a surrogate pair.
        """
        import numpy as np

        batch = np.full((len(texts), max_tokens), PADDING_ID, dtype=np.int64)
        for row, text in zip(batch, texts, strict=True):
            ids = self._parts(text[: max_tokens * CHARACTERS_PER_TOKEN])[:max_tokens] or [UNKNOWN_ID]
            row[: len(ids)] = ids
        return batch

    def _parts(self, text: str) -> list[int]:
        """Ids of all words and marks. Of a text in ASCII without the library, which takes ten times as long."""
        if text.isascii():
            find = self._ids.get
            return [find(part, UNKNOWN_ID) for part in _ASCII_PARTS.findall(text.lower())]
        try:
            found: list[int] = self._tokenizer.encode_batch_fast([text])[0].ids
        except TypeError:
            raise ValueError("a text is not Unicode: it holds half a surrogate pair") from None
        return found


def _assemble(vocabulary: dict[str, int]) -> Any:
    # Its threads count the host's cores, not the container's, and would not survive a fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers

    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]
    )
    return tokenizer


def _vocabulary(document: Any) -> dict[str, int]:
    model = document["model"]
    vocabulary: dict[str, int] = model["vocab"]
    if model["type"] != "WordLevel" or model["unk_token"] != UNKNOWN:
        raise ValueError(f"the model is {model['type']!r:.40} with unknown token {model['unk_token']!r:.40}")
    if len(vocabulary) > MAX_WORDS or document["added_tokens"]:
        raise ValueError(f"it has {len(vocabulary)} words and {len(document['added_tokens'])} added ones")
    if any(type(number) is not int for number in vocabulary.values()):
        raise ValueError("an id is not a whole number")
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise ValueError(f"the ids are not 0 to {len(vocabulary) - 1}")
    if vocabulary[PADDING] != PADDING_ID or vocabulary[UNKNOWN] != UNKNOWN_ID:
        raise ValueError(f"{PADDING} is {vocabulary[PADDING]} and {UNKNOWN} is {vocabulary[UNKNOWN]}")
    return vocabulary


def _check_steps(found: dict[str, Any], ours: dict[str, Any]) -> None:
    for step in _STEPS:
        if found[step] != ours[step]:
            raise ValueError(f"its {step} is {found[step]!r:.80}, expected {ours[step]!r:.80}")
