"""Finding the Pulumi CLI, and what is said when none can be had."""

import subprocess
import tarfile
from pathlib import Path

import pytest

from slipway import pulumi_cli


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def put(folder: Path, version: str, *, whole: bool = True) -> Path:
    folder.mkdir(parents=True)
    for name in pulumi_cli.NEEDED if whole else ("pulumi",):
        (folder / name).write_text(f"#!/bin/sh\necho v{version}\n")
        (folder / name).chmod(0o755)
    return folder


def test_one_on_path_is_used(tmp_path: Path) -> None:
    assert pulumi_cli.find() is None
    folder = put(tmp_path / "path", "3.210.0")
    assert pulumi_cli.find() == folder


@pytest.mark.parametrize(("version", "whole"), [("3.100.0", True), ("3.300.0", False)])
def test_an_old_one_or_one_without_its_python_host_is_not(tmp_path: Path, version: str, whole: bool) -> None:
    put(tmp_path / "path", version, whole=whole)
    assert pulumi_cli.find() is None
    cached = put(pulumi_cli.cache_folder(), pulumi_cli.VERSION)
    assert pulumi_cli.find() == cached


def test_when_neither_download_nor_build_works_both_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_download(target: Path, say: pulumi_cli.Say) -> None:
        raise pulumi_cli.PulumiMissingError("the server is out of reach")

    def no_build(target: Path, say: pulumi_cli.Say) -> None:
        target.mkdir(parents=True)
        raise subprocess.CalledProcessError(1, ["go"])

    monkeypatch.setattr(pulumi_cli, "_download", no_download)
    monkeypatch.setattr(pulumi_cli, "_build", no_build)
    with pytest.raises(pulumi_cli.PulumiMissingError) as caught:
        pulumi_cli.ensure(lambda text: None)
    assert "the server is out of reach" in str(caught.value) and "'go'" in str(caught.value)
    assert list(pulumi_cli.cache_folder().parent.iterdir()) == []


def test_a_release_is_unpacked_without_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(tmp_path / "pulumi", pulumi_cli.VERSION)
    with tarfile.open(tmp_path / "release.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "pulumi", "pulumi")
    monkeypatch.setattr(pulumi_cli, "RELEASE_URL", (tmp_path / "release.tar.gz").as_uri())
    assert pulumi_cli.ensure(lambda text: None) == pulumi_cli.cache_folder()
    assert pulumi_cli.find() == pulumi_cli.cache_folder()
    assert [path.name for path in pulumi_cli.cache_folder().parent.iterdir()] == ["bin"]


def test_a_build_is_seen_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_download(target: Path, say: pulumi_cli.Say) -> None:
        raise pulumi_cli.PulumiMissingError("offline")

    monkeypatch.setattr(pulumi_cli, "_download", no_download)
    monkeypatch.setattr(pulumi_cli, "_build", lambda target, say: put(target, pulumi_cli.VERSION))
    assert pulumi_cli.ensure(lambda text: None) == pulumi_cli.cache_folder()
    assert pulumi_cli.find() == pulumi_cli.cache_folder()
