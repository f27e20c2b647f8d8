"""Many models in one container: SageMaker's calls, with models that are loaded, asked and unloaded all at once."""

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from inference.artifact import ArtifactError
from inference.http.errors import RequestError, bad_request
from inference.http.messages import Cancel, Handler, Request, Respond, Response, error_response
from inference.many_models.api import Loaded, Models
from inference.many_models.memory import BASE_BYTES, MIB, Machine, MemoryBudget, NoMemoryError, estimate
from inference.metrics import Metrics, SharedTable
from inference.user_code.model import load as load_user_model
from tests.unit.inference.user_code import document, with_code

LIMIT_SECONDS = 20.0


class Fake:
    """A model that answers when it is told to; also what starts it."""

    facts: Mapping[str, str] = {"engine": "fake"}
    routes: Mapping[str, Mapping[str, Handler]] = {}

    def __init__(self) -> None:
        self.waiting: list[Respond] = []
        self.cancelled = 0
        self.closed = False

    def start(self, metrics: Metrics) -> "Fake":
        asyncio.get_running_loop()
        return self

    def invoke(self, request: Request, respond: Respond) -> Cancel | None:
        assert not self.closed
        if request.body == b"bad":
            raise bad_request("bad")
        self.waiting.append(respond)

        def cancel() -> None:
            self.cancelled += 1

        return cancel

    def close(self) -> None:
        self.closed = True


class Container:
    """The API over models that `load` gives, below `root`."""

    def __init__(self, root: Path, load: Callable[[Path], Loaded], memory: MemoryBudget | None = None) -> None:
        self.root = root
        budget = memory or MemoryBudget(limit_bytes=2**40)
        self.models = Models(load, budget, Metrics(SharedTable(rows=1)), root=root)
        self.cancel: Cancel | None = None

    def ask(self, method: str, path: str, body: object = b"") -> "asyncio.Future[Response]":
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        methods = self.models.handler(path)
        assert methods is not None
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        try:
            self.cancel = methods[method](Request(method=method, path=path, headers={}, body=raw), future.set_result)
        except RequestError as error:
            future.set_result(error_response(error))
        return future

    def post(self, name: str, folder: Path | str | None = None) -> "asyncio.Future[Response]":
        """The answer to the call that loads a model, from its usual folder if no other is given."""
        url = self.root / name / "model" if folder is None else folder
        return self.ask("POST", "/models", {"model_name": name, "url": str(url)})

    async def names(self) -> list[str]:
        return [one["modelName"] for one in document(await self.ask("GET", "/models"))["models"]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The models' folder, with models a, b and c."""
    for name in "abc":
        (tmp_path / "models" / name / "model").mkdir(parents=True)
        (tmp_path / "models" / name / "model" / "weights").write_bytes(bytes(MIB))
    return tmp_path / "models"


def run(container: Callable[[], Container], test: Callable[[Container], Awaitable[None]]) -> None:
    """`test` on a loop of its own."""

    async def whole() -> None:
        made = container()
        try:
            await asyncio.wait_for(asyncio.ensure_future(test(made)), LIMIT_SECONDS)
        finally:
            made.models.close()

    asyncio.run(whole())


async def _turns() -> None:
    """Enough turns of the loop for whatever has been asked of it."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_real_models_are_loaded_asked_and_unloaded(root: Path, pristine: Path) -> None:
    for number, name in enumerate("ab"):
        shutil.copytree(pristine, root / name / "model", dirs_exist_ok=True)
        with_code(root / name / "model", f"def output_fn(p, accept): return {{'model': {number}, 'rows': len(p)}}\n")
    body = {"instances": np.ones((3, 4, 3)).tolist()}

    async def test(container: Container) -> None:
        assert await container.names() == []
        answers = await asyncio.gather(container.post("a"), container.post("b"))
        assert [(one.status, document(one)["modelName"]) for one in answers] == [(200, "a"), (200, "b")]
        assert document(await container.ask("GET", "/models/a")) == {
            "modelName": "a",
            "modelUrl": str(root / "a" / "model"),
        }
        found = await asyncio.gather(*(container.ask("POST", f"/models/{name}/invoke", body) for name in "ab"))
        assert [document(one) for one in found] == [{"model": 0, "rows": 3}, {"model": 1, "rows": 3}]
        assert (await container.ask("DELETE", "/models/a")).status == 200
        assert await container.names() == ["b"]
        assert (await container.ask("POST", "/models/a/invoke", body)).status == 404
        assert (await container.ask("POST", "/models/b/invoke", body)).status == 200
        assert (await container.post("a")).status == 200
        assert (await container.ask("POST", "/models/a/invoke", body)).status == 200

    run(lambda: Container(root, lambda folder: load_user_model(folder, {})), test)


def test_what_is_not_loaded_is_404_and_what_is_loaded_409(root: Path) -> None:
    async def test(container: Container) -> None:
        for method, path in (("GET", "/models/a"), ("DELETE", "/models/a"), ("POST", "/models/a/invoke")):
            response = await container.ask(method, path)
            assert response.status == 404 and "'a' is not loaded" in document(response)["error"]
        first, second = container.post("a"), container.post("a")
        assert (await second).status == 409 and "being loaded" in document(await second)["error"]
        assert (await first).status == 200
        assert (await container.post("a")).status == 409
        response = await container.ask("POST", "/models/a/invoke", b"bad")
        assert response.status == 400
        assert (await container.ask("DELETE", "/models/a")).status == 200  # the refused request is not in flight

    run(lambda: Container(root, lambda folder: Fake()), test)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        {"model_name": "a"},
        {"url": "/x"},
        {"model_name": "", "url": "/x"},
        {"model_name": 5, "url": "/x"},
        {"model_name": "x" * 2000, "url": "/x"},
        {"model_name": "a", "url": "/x\0"},
    ],
)
def test_a_call_without_a_name_and_a_url_is_400(root: Path, body: object) -> None:
    async def test(container: Container) -> None:
        response = await container.ask("POST", "/models", body)
        assert response.status == 400 and "send {" in document(response)["error"]

    run(lambda: Container(root, lambda folder: Fake()), test)


@pytest.mark.parametrize(
    "url", ["", ".", "..", "a/../..", "a/../../other", "link", "a/model/weights", "none", "x" * 5000]
)
def test_a_url_that_is_no_folder_below_the_root_is_400(root: Path, url: str) -> None:
    (root.parent / "other").mkdir()
    (root / "link").symlink_to(root.parent / "other")

    async def test(container: Container) -> None:
        for place in (f"{root}/{url}", url):
            response = await container.post("a", place)
            assert response.status == 400 and f"folder below {root}" in document(response)["error"]
        assert await container.names() == []

    run(lambda: Container(root, lambda folder: Fake()), test)


def test_the_others_go_on_answering_while_a_model_is_loaded(root: Path) -> None:
    gate, threads = threading.Event(), set()
    first = Fake()

    def load(folder: Path) -> Fake:
        threads.add(threading.get_ident())
        if folder.parent.name == "a":
            return first
        assert gate.wait(10)
        return Fake()

    async def test(container: Container) -> None:
        await container.post("a")
        loading = container.post("b")
        await _turns()
        answer = container.ask("POST", "/models/a/invoke")
        first.waiting[0](Response(status=HTTPStatus.OK, body=b"yes"))
        assert (await answer).body == b"yes" and not loading.done()
        assert await container.names() == ["a"]
        assert (await container.ask("POST", "/models/b/invoke")).status == 404
        gate.set()
        assert (await loading).status == 200
        assert await container.names() == ["a", "b"]

    run(lambda: Container(root, load), test)
    assert threading.get_ident() not in threads


def test_a_model_goes_when_its_last_request_is_answered(root: Path) -> None:
    model = Fake()

    async def test(container: Container) -> None:
        await container.post("a")
        answers = [container.ask("POST", "/models/a/invoke") for _ in range(2)]
        gone = container.cancel
        leaving = container.ask("DELETE", "/models/a")
        await _turns()
        assert not leaving.done() and not model.closed and await container.names() == []
        for method, path in (("POST", "/models/a/invoke"), ("DELETE", "/models/a"), ("GET", "/models/a")):
            assert (await container.ask(method, path)).status == 404
        assert (await container.post("a")).status == 503
        model.waiting[0](Response(status=HTTPStatus.OK, body=b"1"))
        await _turns()
        assert (await answers[0]).body == b"1" and not leaving.done()
        assert gone is not None
        gone()  # the other client does not wait for its answer
        gone()
        assert (await leaving).status == 200 and model.closed and model.cancelled == 2
        model.closed = False
        assert (await container.post("a")).status == 200

    run(lambda: Container(root, lambda folder: model), test)


def test_a_model_that_is_not_wanted_any_more_goes_when_it_is_loaded(root: Path) -> None:
    gate, model = threading.Event(), Fake()

    def load(folder: Path) -> Fake:
        assert gate.wait(10)
        if folder.parent.name == "b":
            raise ArtifactError("broken")
        return model

    async def test(container: Container) -> None:
        loading = [container.post("a"), container.post("b")]
        leaving = [container.ask("DELETE", "/models/a"), container.ask("DELETE", "/models/b")]
        await _turns()
        gate.set()
        assert [(await one).status for one in leaving] == [200, 200] and model.closed
        assert [(await one).status for one in loading] == [200, 400]
        assert await container.names() == []

    run(lambda: Container(root, load), test)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ArtifactError("model.pt2 has 5 bytes"), 400, "cannot be served: model.pt2 has 5 bytes"),
        (MemoryError(), 507, "no memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 507, "no memory"),
        (ZeroDivisionError("secret"), 500, "failed: ZeroDivisionError"),
    ],
)
def test_a_model_that_cannot_be_loaded_leaves_nothing(root: Path, error: Exception, status: int, said: str) -> None:
    errors = [error]

    def load(folder: Path) -> Fake:
        if not errors:
            return Fake()
        raised = errors.pop()
        if status == 507:
            raise ArtifactError(str(raised)) from raised
        raise raised

    async def test(container: Container) -> None:
        response = await container.post("a")
        assert response.status == status and said in document(response)["error"]
        assert await container.names() == []
        assert (await container.post("a")).status == 200

    budget = MemoryBudget(limit_bytes=BASE_BYTES + 2 * MIB)
    run(lambda: Container(root, load, budget), test)


def test_a_model_for_which_there_is_no_memory_is_507_until_another_goes(root: Path) -> None:
    async def test(container: Container) -> None:
        found = await asyncio.gather(*(container.post(name) for name in "abc"))
        assert [one.status for one in found] == [200, 200, 507]
        assert "needs about 65 MiB, 1 MiB are free; unload another" in document(found[2])["error"]
        await container.ask("DELETE", "/models/a")
        assert (await container.post("c")).status == 200

    budget = MemoryBudget(limit_bytes=2 * (BASE_BYTES + MIB * 3 // 2) + MIB)
    run(lambda: Container(root, lambda folder: Fake(), budget), test)


def test_names_may_hold_anything_and_other_paths_are_nobodys(root: Path) -> None:
    async def test(container: Container) -> None:
        await container.post("a/b c", root / "a" / "model")
        assert document(await container.ask("GET", "/models/a%2Fb%20c"))["modelName"] == "a/b c"
        for path in ("/models/", "/models/a/other", "/models//invoke", "/models/a/invoke/", "/modelsx", "/ping"):
            assert container.models.handler(path) is None
        methods = {path: set(container.models.handler(path) or ()) for path in ("/models", "/models/x")}
        assert methods == {"/models": {"GET", "POST"}, "/models/x": {"GET", "DELETE"}}
        assert set(container.models.handler("/models/x/invoke") or ()) == {"POST"}
        assert list(container.models.models) == ["a/b c"]

    run(lambda: Container(root, lambda folder: Fake()), test)


def test_the_end_closes_every_model(root: Path) -> None:
    models: list[Fake] = []

    def load(folder: Path) -> Fake:
        models.append(Fake())
        return models[-1]

    async def test(container: Container) -> None:
        await asyncio.gather(container.post("a"), container.post("b"))

    run(lambda: Container(root, load), test)
    assert [model.closed for model in models] == [True, True]


def _kernel(folder: Path, available_mib: int, files: dict[str, Any]) -> Machine:
    (folder / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:  {available_mib * 1024} kB\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return Machine(meminfo=folder / "meminfo", cgroup=folder)


@pytest.mark.parametrize(
    ("files", "free_mib"),
    [
        ({}, 500),
        ({"memory.max": "max", "memory.current": 7, "memory.stat": "inactive_file 1"}, 500),
        (
            {
                "memory.max": 400 * MIB,
                "memory.current": 300 * MIB,
                "memory.stat": f"anon 5\ninactive_file {50 * MIB}",
            },
            150,
        ),
        (
            {
                "memory/memory.limit_in_bytes": 400 * MIB,
                "memory/memory.usage_in_bytes": 300 * MIB,
                "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {10 * MIB}",
            },
            110,
        ),
        ({"memory.max": 400 * MIB, "memory.current": 500 * MIB, "memory.stat": "a 1"}, 0),
    ],
)
def test_free_memory_is_what_the_kernel_leaves(tmp_path: Path, files: dict[str, Any], free_mib: int) -> None:
    assert _kernel(tmp_path, 500, files).free_bytes() == free_mib * MIB


def test_without_a_limit_a_loaded_model_is_in_the_kernels_numbers(root: Path, tmp_path: Path) -> None:
    budget = MemoryBudget(machine=_kernel(tmp_path, 140, {}))
    needed = estimate(root / "a")
    assert needed == BASE_BYTES + MIB * 3 // 2
    budget.take("a", root / "a")
    budget.take("b", root / "b")
    with pytest.raises(NoMemoryError, match=r"'c' needs about 65 MiB, 9 MiB are free"):
        budget.take("c", root / "c")
    budget.settle("a")
    budget.take("c", root / "c")
    budget.give_back("b")
    budget.give_back("a")


def test_this_machine_has_free_memory() -> None:
    assert MIB < Machine().free_bytes() < 2**50
