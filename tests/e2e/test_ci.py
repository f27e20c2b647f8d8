"""Every stage of CI/CD from a laptop: the real engine, state and locks in S3, a key in KMS, GitHub on the loopback."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.checkout import Checkout
from tests.unit.slipway.fake_github import FakeGitHub, fake_github

DEV = {
    "aws:region": "eu-west-1",
    "slipway:owner": "team",
    "slipway:model": "off",
    "slipway:serving": {"enabled": False},
}
REFUSING_RULE = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def check(args, report):
    if args.resource_type == "aws:s3/bucket:Bucket":
        report("no buckets on Fridays")

PolicyPack("strict", [ResourceValidationPolicy("no-buckets", "Fridays.", check, EnforcementLevel.MANDATORY)])
"""


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with fake_github() as server:
        yield server


@pytest.fixture
def bootstrapped(running: Checkout, github: FakeGitHub) -> Checkout:
    """A checkout whose local stacks keep their state as a team's do, and that could comment on GitHub."""
    write(running, "dev", DEV)
    write(running, "local-ci", {**DEV, "slipway:expires": "2020-01-01"})
    made = json.loads(running.ok("slipway", "init", "--stack", "local-ci", "--json"))
    assert made["made"] == ["key alias/slipway-state", "bucket slipway-state-123456789012-eu-west-1"]
    document = yaml.safe_load((running.folder / "Pulumi.local-ci.yaml").read_text())
    assert document["secretsprovider"].startswith("awskms://alias/slipway-state?") and document["encryptedkey"]
    running.environment.update(github.environment(), PULUMI_BACKEND_URL=made["backend_url"])
    return running


def write(checkout: Checkout, stack: str, config: dict[str, object]) -> None:
    (checkout.folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}))


def put_lock(checkout: Checkout, stack: str, pid: int, host: str) -> str:
    """A lock as Pulumi writes it, in the bucket; its key."""
    key = f".pulumi/locks/organization/slipway/{stack}/0f9d3e5c.json"
    facts = {"pid": pid, "username": "ann", "hostname": host, "timestamp": "2026-11-21T12:00:00Z"}
    checkout.aws("s3").put_object(Bucket=bucket(checkout), Key=key, Body=json.dumps(facts).encode())
    return key


def bucket(checkout: Checkout) -> str:
    return checkout.environment["PULUMI_BACKEND_URL"].removeprefix("s3://").split("?")[0]


def keys(checkout: Checkout, prefix: str) -> list[str]:
    found = checkout.aws("s3").list_objects_v2(Bucket=bucket(checkout), Prefix=prefix)
    return [entry["Key"] for entry in found.get("Contents", [])]


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.rehearsal
def test_a_pull_request_from_its_preview_to_its_end(bootstrapped: Checkout, github: FakeGitHub, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    preview = ("slipway", "ci", "preview", "--stack", "local-ci", "--comment", "7")
    refused = bootstrapped.run(*preview, "--policy-pack", str(strict_pack(tmp_path)), "--out", str(report))
    assert refused.code == 3 and "no-buckets: slipway-local-ci-data: Fridays. no buckets on Fridays" in refused.err
    assert "| create | `slipway-local-ci-data` |" in report.read_text()
    (comment,) = github.bodies(7)
    assert "**Refused by the policy.**" in comment and comment.endswith(report.read_text())

    lock = put_lock(bootstrapped, "local-pr-7", dead_process(), socket.gethostname())
    opened = bootstrapped.ok("slipway", "ci", "pull-request", "open", "--number", "7", "--comment")
    assert "released that of ann on" in opened and lock not in keys(bootstrapped, ".pulumi/locks/")
    assert len(github.bodies(7)) == 2 and "Stack `local-pr-7` is up and proven" in github.bodies(7)[1]
    made = yaml.safe_load((bootstrapped.folder / "Pulumi.local-pr-7.yaml").read_text())["config"]
    assert made["slipway:preset"] == "pull_request" and re.fullmatch(r"\d{4}-\d{2}-\d{2}", made["slipway:expires"])

    live = put_lock(bootstrapped, "local-pr-7", 1, "another-machine")
    locked = bootstrapped.run("slipway", "ci", "pull-request", "close", "--number", "7", "--comment")
    assert locked.code == 1 and "stack local-pr-7 is locked by ann on another-machine (pid 1) since 2026" in locked.err
    assert live in keys(bootstrapped, ".pulumi/locks/")
    bootstrapped.aws("s3").delete_object(Bucket=bucket(bootstrapped), Key=live)

    closed = bootstrapped.ok("slipway", "ci", "pull-request", "close", "--number", "7", "--comment")
    assert "nothing left of slipway-local-pr-7" in closed
    assert len(github.bodies(7)) == 2 and "Stack `local-pr-7` is gone" in github.bodies(7)[1]
    assert [method for method, path in github.calls if method != "GET"] == ["POST", "POST", "PATCH"]
    assert not (bootstrapped.folder / "Pulumi.local-pr-7.yaml").exists()
    assert ".pulumi/stacks/slipway/local-pr-7.json" not in keys(bootstrapped, ".pulumi/stacks/")
    assert keys(bootstrapped, ".pulumi/notes/") == []


def strict_pack(folder: Path) -> Path:
    pack = folder / "strict"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(
        f"runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}\n"
    )
    (pack / "__main__.py").write_text(REFUSING_RULE)
    return pack


def test_deploy_and_the_night_after(bootstrapped: Checkout, tmp_path: Path) -> None:
    bootstrapped.environment.update(
        GITHUB_RUN_ID="100", GITHUB_RUN_ATTEMPT="1", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md")
    )
    again = bootstrapped.ok("slipway", "init", "--stack", "local-ci")
    assert "bucket slipway-state-123456789012-eu-west-1 and its key were there\nstack local-ci was there" in again
    deployed = bootstrapped.ok("slipway", "ci", "deploy", "--stack", "local-ci")
    assert "nothing is served" in deployed
    assert "**Allowed.**" in (tmp_path / "summary.md").read_text()
    assert keys(bootstrapped, ".pulumi/notes/") == keys(bootstrapped, ".pulumi/locks/") == []  # nobody is at work

    stray(bootstrapped)
    nightly = ("slipway", "ci", "nightly", "--stack", "local-ci")
    found = bootstrapped.run(*nightly)
    assert found.code == 3, found.text
    for line in (
        "| update | `slipway-local-ci-build-logs` | `aws:cloudwatch/logGroup:LogGroup` | `retentionInDays` |",
        "Stack `local-pr-3` has no state, but in AWS there are:",
        "`local-ci` expired on 2020-01-01.",
    ):
        assert line in found.out and line in (tmp_path / "summary.md").read_text()

    bootstrapped.aws("s3").delete_bucket(Bucket="slipway-local-pr-3-data-0123456")
    removed = bootstrapped.run(*nightly, "--remove")
    assert removed.code == 0, removed.text
    assert "`local-ci` expired on 2020-01-01 and was removed." in removed.out
    assert "none" in bootstrapped.ok("slipway", "leaks", "--stack", "local-ci")
    assert (bootstrapped.folder / "Pulumi.local-ci.yaml").exists()


def stray(checkout: Checkout) -> None:
    """What people do by hand: change a setting, and leave something of a stack behind."""
    logs = checkout.aws("logs")
    logs.put_retention_policy(logGroupName="/aws/codebuild/slipway-local-ci-build", retentionInDays=90)
    s3, left = checkout.aws("s3"), "slipway-local-pr-3-data-0123456"
    s3.create_bucket(Bucket=left, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    tags = {"slipway:project": "slipway", "slipway:stack": "local-pr-3"}
    s3.put_bucket_tagging(
        Bucket=left, Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}
    )


def test_what_would_harm_is_refused(running: Checkout) -> None:
    two_at_once(running)
    wrong_usage(running)


def two_at_once(running: Checkout) -> None:
    """The state in a folder, as after `slipway local start`."""
    locks = running.folder / ".slipway" / "local" / "pulumi" / ".pulumi" / "locks"
    folder = locks / "organization" / "slipway" / "local"
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"pid": 1, "username": "ann", "hostname": "another-machine", "timestamp": "2026-11-21T12:00:00Z"}
    (folder / "a.json").write_text(json.dumps(facts))
    second = running.run("slipway", "down")
    assert second.code == 1 and "pulumi cancel" not in second.err
    assert "stack local is locked by ann on another-machine (pid 1) since 2026-11-21 12:00:00 UTC" in second.err
    kept = running.run("slipway", "unlock")
    assert kept.code == 1 and "it was not released" in kept.err
    (folder / "a.json").write_text(json.dumps(facts | {"pid": dead_process(), "hostname": socket.gethostname()}))
    assert "released the lock of ann on" in running.ok("slipway", "unlock")
    assert list(folder.iterdir()) == []
    assert "stack local is not locked" in running.ok("slipway", "unlock")


def wrong_usage(running: Checkout) -> None:
    write(running, "dev", DEV)
    for stack, words in (("local", "to rehearse with the embedded AWS"), ("dev", "unset AWS_ENDPOINT_URL")):
        refused = running.run("slipway", "init", "--stack", stack)
        assert refused.code == 2 and words in refused.err
    assert running.run("slipway", "ci", "preview", "--stack", "nope").code == 2
    nobody = running.run("slipway", "ci", "preview", "--comment", "7")
    assert nobody.code == 2 and "needs GITHUB_TOKEN and GITHUB_REPOSITORY" in nobody.err
