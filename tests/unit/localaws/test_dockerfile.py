"""Dockerfiles in small form: files, configuration, and clear errors; and that equal content has an equal digest."""

from pathlib import Path

import pytest

from localaws import images
from localaws.dockerfile import Build, Stage
from localaws.dockerfile_syntax import DockerfileError
from localaws.dockerignore import Ignore


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    for name in ("app/train", "app/lib/a.py", "app/lib/__pycache__/a.pyc", "data.txt", "secret.key"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "app/train").chmod(0o755)
    (folder / ".dockerignore").write_text("# comment\n**/__pycache__\n*.key\n")
    return folder


def build(context: Path, text: str, said: list[str] | None = None, target: str = "", **arguments: str) -> Stage:
    scratch = context.parent / f"scratch{len(list(context.parent.iterdir()))}"
    scratch.mkdir()
    return Build(context, scratch, arguments, (said if said is not None else []).append).run(text, target)


def names(stage: Stage) -> list[str]:
    return sorted(path.relative_to(stage.root).as_posix() for path in stage.root.rglob("*") if path.is_file())


def test_a_usual_dockerfile(context: Path) -> None:
    said: list[str] = []
    stage = build(
        context,
        """
# the base
ARG VERSION=3.11
FROM python:${VERSION}-slim
ARG EXTRA
ENV PATH="/opt/program:${PATH}" PYTHONUNBUFFERED=1
ENV OLD form here
LABEL a.b=c
RUN pip install torch \\
    && true
WORKDIR /opt
WORKDIR program
COPY app/ ./
COPY --chmod=600 data.txt /data/renamed.txt
COPY . /all/
USER nobody
EXPOSE 8080
ENTRYPOINT ["python3", "main.py"]
CMD ["--help"]
""",
        said,
        EXTRA="e",
    )
    config = stage.config
    assert config.base == "python:3.11-slim"
    assert config.env["PATH"].startswith("/opt/program:/usr/local/sbin")
    assert (config.env["PYTHONUNBUFFERED"], config.env["OLD"]) == ("1", "form here")
    assert (config.workdir, config.labels, config.user, config.ports) == (
        "/opt/program",
        {"a.b": "c"},
        "nobody",
        ["8080"],
    )
    assert (config.entrypoint, config.cmd) == (["python3", "main.py"], ["--help"])
    found = names(stage)
    assert {"opt/program/train", "opt/program/lib/a.py", "data/renamed.txt", "all/app/train"} <= set(found)
    assert not any("pyc" in name or "secret" in name for name in found)
    assert (stage.root / "opt/program/train").stat().st_mode & 0o111
    assert (stage.root / "data/renamed.txt").stat().st_mode & 0o777 == 0o600
    assert any("RUN is not run" in line and "pip install torch" in line for line in said)


def test_stages(context: Path) -> None:
    text = (
        "FROM a AS one\nCOPY data.txt /x/\nFROM one AS two\nCOPY app/train /y\nFROM b\nCOPY --from=two /x/data.txt /z\n"
    )
    assert names(build(context, text)) == ["z"]
    assert names(build(context, text, target="two")) == ["x/data.txt", "y"]


def test_a_here_document_after_run_is_skipped(context: Path) -> None:
    assert names(build(context, "FROM a\nRUN <<EOF\nCOPY nothing\nEOF\nCOPY data.txt /d\n")) == ["d"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("FROM a\n\nTEACH me\n", "line 3: unknown instruction TEACH"),
        ("COPY a b\n", "line 1: COPY before the first FROM"),
        ("# nothing\n", "no FROM instruction"),
        ("FROM a\nCOPY nothing.txt /x\n", "line 2: 'nothing.txt' was not found in the build context"),
        ("FROM a\nCOPY secret.key /x\n", "line 2: 'secret.key' was not found"),
        ("FROM a\nCOPY ../scratch /x\n", "line 2: '../scratch' was not found"),
        ("FROM a\nADD https://x/y /z\n", "line 2: https://x/y is an address"),
        ("FROM a\nCOPY --from=c x y\n", "line 2: --from=c is no stage"),
        ("FROM a\nENTRYPOINT [broken\n", "line 2: .* is not a JSON list"),
        ("FROM a\nENV A=1 B\n", "line 2: expected name=value, got 'B'"),
        ("FROM a b\n", "line 1: expected FROM image"),
    ],
)
def test_errors_name_the_line(context: Path, text: str, problem: str) -> None:
    with pytest.raises(DockerfileError, match=problem):
        build(context, text)


def test_dockerignore_patterns(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("docs\n*.log\n**/tmp?\n!docs/keep.md\n")
    ignore = Ignore.read(tmp_path)
    hidden = {name for name in ("docs/a", "docs/keep.md", "x.log", "a/x.log", "a/tmp1", "src") if ignore.hides(name)}
    assert hidden == {"docs/a", "x.log", "a/tmp1"}


def test_equal_content_has_an_equal_digest(context: Path, tmp_path: Path) -> None:
    digests = []
    for number, text in enumerate(("same", "same", "other")):
        folder = tmp_path / str(number)
        (folder / "rootfs").mkdir(parents=True)
        (folder / "rootfs" / "file").write_text(text)
        images.write_config(folder, images.Config())
        digests.append(images.digest(folder))
    assert digests[0] == digests[1] != digests[2]
