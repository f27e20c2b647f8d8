"""The tokenizer: what it splits, that it is the same everywhere, and what it refuses to read."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.artifact import ArtifactError, Tokenizer
from inference.manifests.tokenizer import PADDING, UNKNOWN

ROOT = Path(__file__).resolve().parents[3]
TEXTS = ["The cat, the dog.", "A cat! A cat?", "dogs & cats"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS, 100)


def test_it_lowers_and_splits_words_and_marks(tokenizer: Tokenizer) -> None:
    plain = tokenizer.encode(["the cat ! the dog ."], 8)
    np.testing.assert_array_equal(tokenizer.encode(["THE cat!\n\tThe  dog."], 8), plain)
    assert plain.dtype == np.int64 and plain.shape == (1, 8) and (plain[0, :6] > 1).all()
    assert plain[0, 0] == plain[0, 3] and plain[0, 6:].tolist() == [0, 0]


def test_unknown_words_are_one_and_no_row_is_all_padding(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(["zebra the zebra", "", " \n"], 4)[:, 0].tolist() == [1, 1, 1]
    assert tokenizer.encode(["", "zebra"], 3).tolist() == [[1, 0, 0]] * 2
    assert tokenizer.encode([], 3).shape == (0, 3)


def test_the_names_of_special_ids_are_plain_text(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(["[PAD] cat [UNK]"], 8)[0]
    assert 0 not in ids[:7].tolist() and ids[:7].tolist().count(1) == 6


def test_composed_and_decomposed_letters_are_the_same_word() -> None:
    tokenizer = Tokenizer.train(["caf\u00e9"], 10)
    np.testing.assert_array_equal(tokenizer.encode(["CAFE\u0301"], 2), [[2, 0]])


def test_long_texts_are_cut(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(["the cat " * 1000], 5).tolist() == [
        tokenizer.encode(["the cat the cat the"], 5)[0].tolist()
    ]
    blanks = " " * 31 + "the" + " " * 1_000_000 + "cat"
    assert tokenizer.encode([blanks], 2).tolist() == tokenizer.encode(["the"], 2).tolist()


def test_the_most_frequent_words_are_kept_and_ties_go_by_the_alphabet(tmp_path: Path) -> None:
    texts = ["b a", "d c b", "e", "b", "c"]
    files = set()
    for seed in range(5):
        shuffled = texts.copy()
        random.Random(seed).shuffle(shuffled)
        tokenizer = Tokenizer.train(iter(shuffled), 6)
        tokenizer.save(tmp_path / "tokenizer.json")
        files.add((tmp_path / "tokenizer.json").read_bytes())
        assert tokenizer.size == 6
        assert tokenizer.encode(["b c a d e"], 5).tolist() == [[2, 3, 4, 5, 1]]
    assert len(files) == 1


def test_what_is_saved_is_read_back(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.size == tokenizer.size
    np.testing.assert_array_equal(loaded.encode(TEXTS, 9), tokenizer.encode(TEXTS, 9))
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.integers(1, 10))
def test_any_text_has_ids(tokenizer: Tokenizer, text: str, max_tokens: int) -> None:
    batch = tokenizer.encode([text, "the"], max_tokens)
    assert (
        batch.shape == (2, max_tokens) and ((batch >= 0) & (batch < tokenizer.size)).all() and (batch[:, 0] > 0).all()
    )


def test_half_a_surrogate_pair_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="half a surrogate pair"):
        tokenizer.encode(["\ud800"], 3)


def test_texts_without_a_word_teach_nothing() -> None:
    with pytest.raises(ValueError, match="the texts hold no word"):
        Tokenizer.train(["", "  "], 10)


def _vocabulary(document: Any) -> dict[str, Any]:
    words: dict[str, Any] = document["model"]["vocab"]
    return words


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document.update(normalizer=None), "its normalizer is None"),
        (
            lambda document: document.update(pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a+)+$"}}),
            "its pre_tokenizer is",
        ),
        (lambda document: document.update(post_processor={"type": "ByteLevel"}), "its post_processor is"),
        (lambda document: document["model"].update(type="BPE"), "the model is 'BPE'"),
        (lambda document: document["model"].pop("vocab"), "KeyError"),
        (lambda document: document.update(added_tokens=[{"id": 0}]), "1 added ones"),
        (lambda document: _vocabulary(document).update(cat=10**6), "the ids are not 0 to"),
        (lambda document: _vocabulary(document).update(cat="2"), "an id is not a whole number"),
        (lambda document: _vocabulary(document).update({"[UNK]": 0, "[PAD]": 1}), r"\[PAD\] is 1"),
        (lambda document: document["model"].update(vocab=[1, 2]), "AttributeError"),
        (lambda document: _vocabulary(document).update({"\ud800": len(_vocabulary(document))}), "tokenizer that"),
    ],
)
def test_a_file_that_we_would_not_have_written_is_refused(
    tokenizer: Tokenizer, tmp_path: Path, change: Callable[[Any], object], message: str
) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match=message) as caught:
        Tokenizer.load(path)
    assert "tokenizer.json is not a tokenizer that `train` wrote" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff", b"null", b'{"model": 1}'])
def test_a_file_that_is_no_tokenizer_at_all_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"tokenizer\.json is not a tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_importing_the_artifact_imports_no_tokenizers() -> None:
    code = (
        "import sys, inference.artifact; print([m for m in ('tokenizers', 'torch', 'PIL.Image') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@settings(max_examples=1000, deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_texts_in_ascii_have_the_ids_that_the_library_gives_them(text: str) -> None:
    """They are found without it, for speed."""
    words = ["so", "good", "it", "'", "s", "-", "\x1c", "\x1f", "a\x1eb", "\x00", "[", "pad", "]", "_", "1", "x1"]
    tokenizer = Tokenizer({PADDING: 0, UNKNOWN: 1, **{word: number + 2 for number, word in enumerate(words)}})
    assert tokenizer._parts(text) == tokenizer._tokenizer.encode_batch_fast([text])[0].ids
    sentence = f"{text} It's so-GOOD{text}[PAD] x1_{text}"
    assert tokenizer._parts(sentence) == tokenizer._tokenizer.encode_batch_fast([sentence])[0].ids
