"""Every file, request, answer and refusal in docs/serving-own-code.md is as the page says."""

import asyncio
import contextlib
import dataclasses
import os
import re
import runpy
import shutil
from collections.abc import Iterator
from http import HTTPMethod
from pathlib import Path
from typing import NamedTuple

import pytest

from inference.artifact import ArtifactError
from inference.http.errors import RequestError
from inference.http.messages import Request, Response, error_response
from inference.many_models.api import Models
from inference.many_models.memory import MemoryBudget
from inference.metrics import Metrics, SharedTable
from inference.model import Model
from inference.user_code.model import load
from tests.unit.inference.user_code import invoke, on_loop

PAGE = Path(__file__).resolve().parents[3] / "docs" / "serving-own-code.md"
BASE_DIR = "$SAGEMAKER_BASE_DIR"
SECTIONS = {
    section.partition("\n")[0]: section
    for section in PAGE.read_text().split("\n## ")[1:]
    if re.search(r"^```(http|console)", section, re.MULTILINE)
}


class Block(NamedTuple):
    """A fenced block of the page."""

    kind: str
    text: str


def blocks(section: str) -> Iterator[Block]:
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        yield Block(kind, text)


def parse(block: Block, base: Path) -> tuple[str, dict[str, str], bytes]:
    """(first line, headers, body) of an http block."""
    head, _, body = block.text.replace(BASE_DIR, str(base)).rstrip("\n").partition("\n\n")
    first, *lines = head.splitlines()
    return first, dict(line.split(": ", 1) for line in lines), body.encode()


def request(block: Block, base: Path) -> Request:
    first, headers, body = parse(block, base)
    method, path = first.split()
    assert method in list(HTTPMethod)
    return Request(method=method, path=path, headers={name.lower(): text for name, text in headers.items()}, body=body)


def check(response: Response, block: Block, base: Path) -> None:
    """That the answer is the one on the page."""
    status, headers, body = parse(block, base)
    found = {"Content-Type": response.content_type, **response.headers}
    assert isinstance(response.body, bytes)
    assert (str(int(response.status)), found, response.body.rstrip(b"\n")) == (status, headers, body)


def put(block: Block, folder: Path, pristine: Path) -> None:
    """Write the file that a block begins by naming, or run it where it is no part of the model."""
    name, *rest = block.text.partition("\n")[0].removeprefix("# ").split(" ", 1)
    if rest == ["on an artifact"]:
        shutil.copytree(pristine, folder, dirs_exist_ok=True)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text)
    if name == "train.py":
        with contextlib.chdir(folder):
            runpy.run_path(str(path))
        path.unlink()


def answer(folder: Path, asked: Request) -> Response:
    """The answer of the model in `folder`; one in parts is put together."""

    async def ask(model: Model) -> Response:
        response = await invoke(model, asked)
        if isinstance(response.body, bytes):
            return response
        return dataclasses.replace(response, body=b"".join([part async for part in response.body]))

    found: Response = on_loop(load(folder, os.environ), ask)
    return found


def refused(folder: Path, block: Block) -> None:
    with pytest.raises(ArtifactError) as caught:
        load(folder, {})
    assert block.text.rstrip("\n") in str(caught.value)


@pytest.mark.parametrize("title", [title for title in SECTIONS if title != "Several models in one container"])
def test_the_section_is_true(title: str, tmp_path: Path, pristine: Path) -> None:
    asked: Request | None = None
    done = 0
    for block in blocks(SECTIONS[title]):
        if block.kind in ("python", "text"):
            put(block, tmp_path, pristine)
        elif block.kind == "console":
            refused(tmp_path, block)
        elif asked is None:
            asked = request(block, tmp_path)
            continue
        else:
            check(answer(tmp_path, asked), block, tmp_path)
        asked = None
        done += 1
    assert done >= 2


def test_several_models_are_served_as_the_page_says(tmp_path: Path, pristine: Path) -> None:
    first, *rest = blocks(SECTIONS["Several models in one container"])
    put(first, tmp_path, pristine)

    async def test() -> None:
        models = Models(
            lambda folder: load(folder, {}),
            MemoryBudget(),
            Metrics(SharedTable(rows=1)),
            root=tmp_path / "models",
        )
        for question, expected in zip(rest[::2], rest[1::2], strict=True):
            check(await _ask(models, request(question, tmp_path)), expected, tmp_path)
        models.close()

    asyncio.run(asyncio.wait_for(test(), 20))


async def _ask(models: Models, asked: Request) -> Response:
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    try:
        (models.handler(asked.path) or {})[asked.method](asked, future.set_result)
    except RequestError as error:
        return error_response(error)
    return await future


def test_every_function_is_on_the_page() -> None:
    from inference.user_code.functions import ARGUMENTS

    text = PAGE.read_text()
    for name, arguments in ARGUMENTS.items():
        assert f"`{name}({', '.join(arguments)})`" in text
