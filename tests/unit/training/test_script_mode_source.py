"""Where a script's source comes from, what is refused, and how torchrun is asked to start it."""

import io
import socket
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from tests.unit.training.script_jobs import job, run, write, write_config
from training.environment import JobPaths, read_hyperparameters
from training.errors import ConfigError
from training.script_mode.cluster import read_cluster
from training.script_mode.command import Kind, run_command
from training.script_mode.rendezvous import rendezvous
from training.script_mode.request import read_request
from training.script_mode.setting import Setting

HELLO = {"train.py": "open('ran', 'w')", "lib/part.py": ""}
PROGRAM = {"sagemaker_program": "train.py"}


def archive(path: Path, files: Mapping[str, str], link: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
        if link:
            entry = tarfile.TarInfo("link")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            tar.addfile(entry)
    return path


def ran(paths: JobPaths) -> bool:
    return (paths.base / "code" / "ran").exists()


@pytest.mark.parametrize("kind", ["folder", "archive"])
@pytest.mark.parametrize("how", ["hyperparameter", "variable", "channel"])
def test_source_comes_from_where_the_job_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, how: str
) -> None:
    paths = job(tmp_path, {}, **PROGRAM)
    place = paths.base / "input" / "data" / "code" if how == "channel" else tmp_path / "source"
    given = write(place, HELLO) if kind == "folder" else archive(place / "sourcedir.tar.gz", HELLO)
    if how == "hyperparameter":
        write_config(paths, "hyperparameters", PROGRAM | {"sagemaker_submit_directory": str(given)})
    elif how == "variable":
        monkeypatch.setenv("SAGEMAKER_SUBMIT_DIRECTORY", str(given))
    assert run(paths) == 0
    assert ran(paths) and (paths.base / "code" / "lib" / "part.py").exists()
    assert not list(paths.base.glob("source-*")), "scratch is left"


def test_source_that_is_there_already_is_used_as_it_is(tmp_path: Path) -> None:
    paths = job(tmp_path, HELLO, **PROGRAM)
    write(paths.base / "input" / "data" / "code", {"train.py": "raise SystemExit(9)"})
    assert run(paths) == 0 and ran(paths)


@mock_aws
def test_source_in_s3_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    s3 = boto3.client("s3", "us-east-1")
    s3.create_bucket(Bucket="bucket")
    s3.upload_file(str(archive(tmp_path / "sourcedir.tar.gz", HELLO)), "bucket", "job/source/sourcedir.tar.gz")
    where = {"sagemaker_submit_directory": '"s3://bucket/job/source/sourcedir.tar.gz"', "sagemaker_region": "us-east-1"}
    paths = job(tmp_path, {}, **PROGRAM, **where)
    assert run(paths) == 0 and ran(paths)
    missing = job(
        tmp_path / "other", {}, **PROGRAM, **where | {"sagemaker_submit_directory": "s3://bucket/none.tar.gz"}
    )
    with pytest.raises(ConfigError, match=r"'s3://bucket/none.tar.gz' and cannot be read: .*404.*s3:GetObject"):
        run(missing)


def test_without_boto3_source_in_s3_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    paths = job(tmp_path, {}, **PROGRAM, sagemaker_submit_directory="s3://bucket/sourcedir.tar.gz")
    with pytest.raises(ConfigError, match="install boto3 in the image, or give the source as a channel named `code`"):
        run(paths)


@pytest.mark.parametrize(
    ("files", "link"),
    [({"../evil.py": "1"}, ""), ({"train.py": ""}, "../../outside"), ({"train.py": ""}, "/etc/passwd")],
)
def test_an_archive_that_leads_outside_is_refused_whole(tmp_path: Path, files: dict[str, str], link: str) -> None:
    given = archive(tmp_path / "sourcedir.tar.gz", files, link)
    paths = job(tmp_path, {}, **PROGRAM, sagemaker_submit_directory=str(given))
    with pytest.raises(ConfigError, match=r"outside|absolute"):
        run(paths)
    assert not list((paths.base / "code").iterdir()) and not list(tmp_path.rglob("evil.py"))


@pytest.mark.parametrize(
    ("hyperparameters", "words"),
    [
        ({"sagemaker_program": "../train.py"}, "is '../train.py'; allowed: a path inside the source"),
        ({"sagemaker_program": "-c"}, "is '-c'; allowed"),
        ({"sagemaker_program": "train.py; rm x"}, "allowed"),
        ({"sagemaker_program": "trian.py"}, "is 'trian.py', which is no file in .*code; there: lib/part.py, train.py"),
        (PROGRAM | {"sagemaker_mpi_enabled": "true"}, "set sagemaker_torch_distributed_enabled to true instead"),
        (
            {"sagemaker_program": "lib/run.sh", "sagemaker_torch_distributed_enabled": "true"},
            "is a command for /bin/sh; torchrun starts Python scripts",
        ),
        (
            PROGRAM | {"sagemaker_torch_distributed_enabled": "true", "sagemaker_mpi_num_of_processes_per_host": "two"},
            "is 'two'; give a whole number",
        ),
    ],
)
def test_a_job_that_cannot_be_run_is_refused_in_a_sentence(
    tmp_path: Path, hyperparameters: dict[str, str], words: str
) -> None:
    files = HELLO | ({"lib/run.sh": ""} if "run.sh" in hyperparameters["sagemaker_program"] else {})
    with pytest.raises(ConfigError, match=words):
        run(job(tmp_path, files, **hyperparameters))


def test_no_source_at_all_names_the_ways_to_give_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no source: give sagemaker_submit_directory .* a channel named 'code'"):
        run(job(tmp_path, {}, **PROGRAM))
    with pytest.raises(ConfigError, match="is '/nowhere', which does not exist"):
        run(job(tmp_path / "b", {}, **PROGRAM, sagemaker_submit_directory="/nowhere"))


def distributed(
    folder: Path, hosts: list[str], environ: dict[str, str], **more: str
) -> tuple[list[str], dict[str, str]]:
    """The command (from torchrun's own words on) and the variables of the last of these hosts."""
    paths = job(folder, HELLO, **PROGRAM, sagemaker_torch_distributed_enabled="true", lr="0.1", **more)
    cluster = {"current_host": hosts[-1], "hosts": hosts, "current_instance_type": "ml.p4d.24xlarge"}
    write_config(paths, "resourceconfig", cluster)
    script = read_request(read_hyperparameters(paths), environ)
    setting = Setting(script=script, paths=paths, cluster=read_cluster(paths), gpus=8, environ=environ)
    found = rendezvous(setting)
    return run_command(Kind.SCRIPT, setting, found)[3:], found


def test_torchrun_gets_the_toolkits_words(tmp_path: Path) -> None:
    words, found = distributed(tmp_path / "one", ["algo-1"], {})
    assert " ".join(words) == "--nnodes 1 --nproc_per_node 8 train.py --lr 0.1"
    assert (found["FI_PROVIDER"], found["FI_EFA_USE_DEVICE_RDMA"], found["NCCL_PROTO"]) == ("efa", "1", "simple")
    given = {"MASTER_PORT": "24000", "NCCL_DEBUG": "INFO"}
    more = {"sagemaker_mpi_num_of_processes_per_host": "2"}
    words, found = distributed(tmp_path / "two", ["algo-2", "algo-1"], given, **more)
    expected = "--nnodes 2 --nproc_per_node 2 --master_addr algo-1 --master_port 24000 --node_rank 0 train.py --lr 0.1"
    assert " ".join(words) == expected
    assert found["NCCL_DEBUG"] == "INFO"


def test_torchrun_starts_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("MASTER_PORT", str(server.getsockname()[1]))
    script = "import os; open('rank' + os.environ['RANK'], 'w').write(os.environ['WORLD_SIZE'])"
    more = {"sagemaker_torch_distributed_enabled": "true", "sagemaker_mpi_num_of_processes_per_host": "2"}
    paths = job(tmp_path, {"train.py": script}, **PROGRAM, **more)
    assert run(paths) == 0
    assert [file.read_text() for file in sorted((paths.base / "code").glob("rank?"))] == ["2", "2"]
