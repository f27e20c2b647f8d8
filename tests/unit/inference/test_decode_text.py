"""Texts in requests."""

import csv
import io

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.formats.decode import choose, decoders
from inference.http.errors import RequestError
from inference.manifests.schema import InputSchema
from inference.manifests.tokenizer import Tokenizer

SCHEMA = InputSchema(kind="text", name="text", dtype="int64", shape=(4,), tokenizer="tokenizer.json")
TOKENIZER = Tokenizer.train(["good bad !"], 10)
DECODERS = decoders(SCHEMA, TOKENIZER)


def test_json_and_plain_text_give_the_tokenizers_ids() -> None:
    texts = ["Good!", "bad, bad", "x"]
    batch = DECODERS["application/json"](orjson.dumps({"instances": texts}))
    assert batch.tolist() == TOKENIZER.encode(texts, 4).tolist()
    plain = choose(DECODERS, "text/plain; charset=utf-8")("Good\u00a0!".encode())
    assert plain.tolist() == TOKENIZER.encode(["good !"], 4).tolist()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_texts_are_the_same_in_every_form(texts: list[str]) -> None:
    expected = TOKENIZER.encode(texts, 4).tolist()
    rows = io.StringIO()
    csv.writer(rows).writerows([text] for text in texts)
    for media, body in (
        ("application/json", orjson.dumps(texts)),
        ("application/jsonlines", b"\n".join(map(orjson.dumps, texts))),
        ("text/csv", rows.getvalue().encode()),
        ("application/x-npy", npy(np.array(texts))),
    ):
        assert DECODERS[media](body).tolist() == expected


def test_how_many_texts_come_at_once_is_bounded_by_their_ids() -> None:
    wide = InputSchema(kind="text", name="text", dtype="int64", shape=(60_000,), tokenizer="tokenizer.json")
    with pytest.raises(RequestError) as caught:
        decoders(wide, TOKENIZER)["application/json"](orjson.dumps([""] * 140))
    assert caught.value.status == 413 and "140 texts are too many for one request; expected at most 139" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("media", "body", "found"),
    [
        ("application/json", b"", "not JSON"),
        ("application/json", b"7", "the body holds a int"),
        ("application/json", b'{"text": "good"}', "the body holds keys ['text']"),
        ("text/csv", b"", "the CSV is empty"),
        ("text/csv", b"good,bad\n", "CSV row 1 has 2 columns"),
        ("text/csv", b"good\n\n", "CSV row 2 has 0 columns"),
        ("text/csv", b'"good\n', "the CSV cannot be read"),
        ("text/csv", b"g\xff", "not UTF-8 at position 1"),
        ("application/x-npy", npy(np.array([["good"]])), "shape [1, 1]"),
        ("application/x-npy", npy(np.array([], "U3")), "shape [0]"),
        ("application/x-npy", npy(np.array([b"good"])), "dtype '|S4'"),
        ("application/x-npy", npy(np.array([1.0])), "dtype '<f8'"),
        (
            "application/x-npy",
            npy(np.array(["a"])).replace(b"a\0\0\0", b"\xff" * 4),
            "what is no text (code point not in range(0x110000))",
        ),
        (
            "application/x-npy",
            npy(np.array(["a"])).replace(b"a\0\0\0", b"\0\xd8\0\0"),
            "what is no text (code point in surrogate code point range",
        ),
        ("application/x-npy", npy(np.array(["a"])) + b"b", "5 bytes follow the header"),
        ("application/json", b'{"instances": []}', "an empty list"),
        ("application/json", b'{"instances": "good"}', "instances is str"),
        ("application/json", b'{"instances": ["good", 7]}', "instance 1 is 7, not a string"),
        ("application/json", b'{"instances": [null]}', "instance 0 is None, not a string"),
        ("application/json", b'{"instances": ["\\ud800"]}', "not JSON"),
        ("text/plain", b"", "the text is empty"),
        ("text/plain", b" \n", "the text is empty"),
        ("text/plain", b"good \xff", "not UTF-8 at position 5"),
    ],
)
def test_bad_texts_say_what_is_expected(media: str, body: bytes, found: str) -> None:
    with pytest.raises(RequestError) as caught:
        DECODERS[media](body)
    assert caught.value.status == 400 and found in caught.value.message and "expected" in caught.value.message


def test_other_content_types_are_415() -> None:
    with pytest.raises(RequestError) as caught:
        choose(DECODERS, "image/png")
    assert caught.value.status == 415 and "use application/json, text/plain" in caught.value.message
