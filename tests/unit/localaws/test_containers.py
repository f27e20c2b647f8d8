"""Containers: which program runs with which environment, /opt/ml in both ways, and how a program is ended."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws import containers, images, mounts
from localaws.cloud import Cloud
from localaws.processes import Process
from tests.unit.localaws.aws import alive, wait_for

SHOW = """import json, os, pathlib, sys
ml = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
print(json.dumps({"env": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd(), "pid": os.getpid(),
    "executable": sys.executable, "in": pathlib.Path(ml, "input/x").read_text(),
    "hosts": pathlib.Path("/etc/hosts").read_text()}))
"""


@pytest.fixture(params=["mounted", "variables"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    if request.param == "mounted" and mounts.unshare() is None:
        request.param = "variables"  # namespaces are not allowed here, so this is what localaws does
    found = Cloud(state=tmp_path / "state", mounts=request.param == "mounted", url="http://127.0.0.1:1")
    yield found
    found.close()


class Box:
    """An image with one program, and what its container printed."""

    def __init__(self, cloud: Cloud, folder: Path, script: str, name: str = "program") -> None:
        self._cloud = cloud
        self.root = folder / "ml"
        (self.root / "input").mkdir(parents=True)
        (self.root / "model").mkdir()
        (self.root / "input" / "x").write_text("data")
        bin_ = folder / "image" / "rootfs" / "opt" / "program"
        bin_.mkdir(parents=True)
        (bin_ / name).write_text(script)
        path = f"/opt/program:{images.DEFAULT_PATH}"
        config = images.Config(
            env={"PATH": path, "PYTHONPATH": "/opt/program", "MODE": "image"}, workdir="/opt/program"
        )
        self.image = images.Image(root=folder / "image" / "rootfs", config=config)
        self.program = bin_ / name
        self.lines: list[str] = []

    def start(self, *argv: str, **extra: object) -> Process:
        spec = containers.Spec(image=self.image, argv=argv, root=self.root, region="eu-west-1", **extra)  # type: ignore[arg-type]
        return containers.start(self._cloud, spec, self.lines.extend)


def test_program_and_environment(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    box = Box(cloud, tmp_path, "#!/usr/bin/python3\n" + SHOW)
    process = box.start("program", "train", env={"MODE": "job"}, hosts={"algo-1": "127.0.0.1"})
    assert process.wait() == 0, box.lines
    seen = json.loads(box.lines[0])
    env = seen["env"]
    assert seen["pid"] == process.pid
    assert seen["executable"] == sys.executable
    assert (seen["argv"][1:], seen["in"]) == (["train"], "data")
    assert seen["cwd"] == str(box.program.parent)
    assert (env["PYTHONPATH"], env["MODE"]) == (str(box.program.parent), "job")
    assert env["PATH"].split(":")[:2] == [str(box.program.parent), str(Path(sys.executable).parent)]
    assert (env["AWS_ENDPOINT_URL"], env["AWS_REGION"]) == ("http://127.0.0.1:1", "eu-west-1")
    assert "SECRET_OF_THE_HOST" not in env
    if cloud.mounts:
        assert "SM_MODEL_DIR" not in env
        assert "algo-1" in seen["hosts"]
    else:
        assert env["SM_MODEL_DIR"] == str(box.root / "model")


def test_the_literal_path_in_arguments(cloud: Cloud, tmp_path: Path) -> None:
    box = Box(cloud, tmp_path, "")
    assert box.start("cat", "/opt/ml/input/x").wait() == 0
    assert box.lines == ["data"]


def test_read_only_folders_and_an_untouched_host(cloud: Cloud, tmp_path: Path) -> None:
    before = sorted(path.name for path in Path("/opt").iterdir())
    box = Box(cloud, tmp_path, "")
    code = box.start("sh", "-c", "ls /opt; touch ${SAGEMAKER_BASE_DIR:-/opt/ml}/model/x", readonly=["model"]).wait()
    assert (code != 0) == cloud.mounts
    assert set(before) <= set(box.lines)
    assert sorted(path.name for path in Path("/opt").iterdir()) == before


def test_a_missing_program(cloud: Cloud, tmp_path: Path) -> None:
    with pytest.raises(containers.StartError, match='exec: "serve": executable file not found in'):
        Box(cloud, tmp_path, "").start("serve")


def test_absolute_python_is_this_python(cloud: Cloud, tmp_path: Path) -> None:
    box = Box(cloud, tmp_path, "")
    box.start("/usr/local/bin/python3.9", "-c", "import sys; print(sys.executable)").wait()
    assert box.lines == [sys.executable]


GENTLE = "#!/usr/bin/env python3\nimport signal, sys, threading\n"
GENTLE += "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\nprint('up', flush=True)\nthreading.Event().wait()\n"


def test_sigterm_reaches_the_program(cloud: Cloud, tmp_path: Path) -> None:
    box = Box(cloud, tmp_path, GENTLE)
    process = box.start("program")
    wait_for(lambda: "up" in box.lines, "the start")
    assert process.stop(120) == 9


def test_sigkill_after_the_grace_by_a_stepped_clock(cloud: Cloud, tmp_path: Path) -> None:
    cloud.clock.change(mode="stepped")
    box = Box(cloud, tmp_path, GENTLE.replace("lambda *_: sys.exit(9)", "signal.SIG_IGN"))
    process = box.start("program")
    wait_for(lambda: "up" in box.lines, "the start")
    process.signal(signal.SIGTERM)
    cloud.clock.change(advance_seconds=100)
    assert not process.exited.wait(0.1)

    def step() -> bool:
        cloud.clock.change(advance_seconds=10)
        return process.exited.is_set()

    stopper = threading.Thread(target=process.stop, args=(120,))
    stopper.start()
    wait_for(step, "the kill")
    stopper.join()
    assert process.exit_code == 128 + signal.SIGKILL


def test_nothing_of_a_container_survives_it(cloud: Cloud, tmp_path: Path) -> None:
    box = Box(cloud, tmp_path, "")
    box.start("sh", "-c", "setsid sleep 600 & echo $!; exit 0").wait()
    wait_for(lambda: not alive(int(box.lines[0])), "the end of the grandchild")
