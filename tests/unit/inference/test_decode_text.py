"""Texts in requests."""

import orjson
import pytest

from inference.decode import choose, decoders
from inference.errors import RequestError
from inference.schema import InputSchema
from inference.tokenizer import Tokenizer

SCHEMA = InputSchema(kind="text", name="text", dtype="int64", shape=(4,), tokenizer="tokenizer.json")
TOKENIZER = Tokenizer.train(["good bad !"], 10)
DECODERS = decoders(SCHEMA, TOKENIZER)


def test_json_and_plain_text_give_the_tokenizers_ids() -> None:
    texts = ["Good!", "bad, bad", "x"]
    batch = DECODERS["application/json"](orjson.dumps({"instances": texts}))
    assert batch.tolist() == TOKENIZER.encode(texts, 4).tolist()
    plain = choose(DECODERS, "text/plain; charset=utf-8")("Good\u00a0!".encode())
    assert plain.tolist() == TOKENIZER.encode(["good !"], 4).tolist()


@pytest.mark.parametrize(
    ("media", "body", "found"),
    [
        ("application/json", b"", "not JSON"),
        ("application/json", b'"good"', "the body holds a str"),
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
        choose(DECODERS, "text/csv")
    assert caught.value.status == 415 and "use application/json, text/plain" in caught.value.message
