"""docs/serving-formats.md: each request of the page is made of the model it is about, and answered as the page says.

```http           ```http
POST /invocations 200
Content-Type: ... Content-Type: ...

body              body

Numbers may differ in the fourth place; `...` in an answer stands for anything. `>>>` lines are run as they stand.
"""

import doctest
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from inference.formats.kserve import routes
from inference.http.messages import Request, Response
from tests.unit.inference.serving import Answer, Served, generator, images, tables, texts

PAGE = Path(__file__).resolve().parents[3] / "docs" / "serving-formats.md"
MODELS: dict[str, Callable[[], Served]] = {
    "images": images,
    "texts": texts,
    "tables": tables,
    "generators": generator,
}
TOLERANCE = 1e-3
ANYTHING = "..."
_BLOCK = re.compile(r"^### For (\w+)|^```(http|pycon)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str, str]]:
    """(model, language, text) of each block of the page."""
    found, model = [], ""
    for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if match[1]:
            model = match[1]
        else:
            found.append((model, match[2], match[3]))
    return found


def exchanges() -> list[tuple[str, str, str]]:
    """(model, request, answer)."""
    texts = [(model, text) for model, language, text in blocks() if language == "http"]
    return [(model, request, answer) for (model, request), (_, answer) in zip(texts[::2], texts[1::2], strict=True)]


def parsed(text: str) -> tuple[list[str], dict[str, str], str]:
    """The first line's words, the headers and the body."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.splitlines()
    return first.split(), dict(line.split(": ", 1) for line in lines), body.removesuffix("\n")


def asked(model: Served, text: str) -> Answer:
    (method, path), headers, body = parsed(text)
    if method == "POST":
        return model.ask(method, path, headers, body.encode())
    responses: list[Response] = []
    handler = routes(lambda request, respond: None, model.manifest, "model")[path][method]
    handler(Request(method=method, path=path, headers={}, body=b""), responses.append)
    assert isinstance(responses[0].body, bytes)
    return Answer(status=int(responses[0].status), content_type=responses[0].content_type, body=responses[0].body)


def same(found: Any, written: Any) -> bool:
    """Whether an answer's JSON is what the page has."""
    if written == ANYTHING:
        return True
    if isinstance(written, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(written)
            and all(same(found[k], written[k]) for k in written)
        )
    if isinstance(written, list):
        if written and written[-1] == ANYTHING:
            written, found = written[:-1], found[: len(written) - 1]
        return len(found) == len(written) and all(map(same, found, written))
    return found == written or (isinstance(written, float) and abs(found - written) <= TOLERANCE * max(1, abs(written)))


def documents(media: str, text: str) -> list[Any]:
    """What an answer says, line by line."""
    if media == "text/csv":
        return [
            [float(cell) if re.fullmatch(r"[-.\de]+", cell) else cell for cell in row.split(",")]
            for row in text.splitlines()
        ]
    text = text.replace(", ...", f', "{ANYTHING}"')
    return [orjson.loads(line) for line in (text.splitlines() if "lines" in media else [text])]


@pytest.mark.parametrize(("model", "request_text", "answer_text"), exchanges())
def test_each_request_is_answered_as_the_page_says(model: str, request_text: str, answer_text: str) -> None:
    (status,), headers, body = parsed(answer_text)
    answer = asked(MODELS[model](), request_text)
    assert (answer.status, answer.content_type) == (int(status), headers["Content-Type"]), answer.body
    found = documents(answer.content_type, answer.body.decode())
    assert same(found, documents(answer.content_type, body)), answer.body.decode()


@pytest.mark.parametrize(("model", "text"), [(m, text) for m, language, text in blocks() if language == "pycon"])
def test_each_line_of_python_does_what_the_page_says(model: str, text: str) -> None:
    served = MODELS[model]()

    def ask(body: bytes, content_type: str, path: str = "/invocations", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return served.ask("POST", path, {"Content-Type": content_type, **named}, body)

    names = {"ask": ask, "np": np, "io": io, "zipfile": zipfile}
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(doctest.DocTestParser().get_doctest(text, names, model, PAGE.name, 0), out=report.write)
    assert runner.summarize(verbose=False).failed == 0, report.getvalue()


def test_the_page_has_examples_of_every_model() -> None:
    assert {model for model, _, _ in exchanges()} == set(MODELS)


def test_every_content_type_of_every_model_is_on_the_page() -> None:
    from inference.formats.decode import decoders
    from inference.formats.encode import encoders

    page = PAGE.read_text(encoding="utf-8")
    for build in MODELS.values():
        manifest = build().manifest
        for program in manifest.programs:
            for media in encoders(manifest, program):
                assert f"`{media}`" in page, media
        if manifest.input.kind != "text":
            for media in decoders(manifest.input):
                assert f"`{media}`" in page, media
