"""The parts of the stages that need neither engine nor AWS: a pull request's settings, what a night's findings mean."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from slipway.ci.deploy import pack_of
from slipway.ci.events import Change, Plan
from slipway.ci.nightly import Findings, nightly_report
from slipway.ci.pull_request import configure, derive, invocation_url, stack_name
from slipway.ci.stacks import known
from slipway.engine_failure import Failure
from slipway.errors import SlipwayError
from slipway.leaks import Leftover
from slipway.project import Stack

EXPIRES = date(2026, 11, 28)
DEV = {
    "secretsprovider": "awskms://alias/slipway-state?region=eu-west-1",
    "encryptedkey": "a-key",
    "config": {
        "aws:region": "eu-west-1",
        "slipway:owner": "team",
        "slipway:preset": "dev",
        "slipway:protect": True,
        "slipway:monitoring": {"emails": ["a@b.c"]},
        "slipway:access": {"deploy": {"repository": "o/r"}, "permissions_boundary": "arn"},
        "slipway:serving": {"instance_type": "ml.m5.large", "instances": {"min": 2, "max": 9}},
        "slipway:training": {"hyperparameters": {"model": "cnn"}},
    },
}


def test_a_pull_requests_stack_is_a_small_dev_that_expires() -> None:
    config = derive(DEV, EXPIRES, local=False)["config"]
    assert config["slipway:preset"] == "pull_request" and config["slipway:expires"] == "2026-11-28"
    assert config["slipway:access"] == {"permissions_boundary": "arn"}
    assert config["slipway:serving"] == {"instance_type": "ml.m5.large"}
    assert config["slipway:training"] == DEV["config"]["slipway:training"]  # type: ignore[index]
    assert not {"slipway:protect", "slipway:monitoring"} & set(config)
    assert DEV["config"]["slipway:protect"] is True  # type: ignore[index]  # the original is as it was


def test_it_keeps_the_key_that_the_secrets_are_encrypted_with_and_a_local_one_has_none() -> None:
    assert derive(DEV, EXPIRES, local=False)["encryptedkey"] == "a-key"
    assert set(derive(DEV, EXPIRES, local=True)) == {"config"}


def test_a_second_deployment_keeps_the_stacks_own_key(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump(DEV))
    own = tmp_path / "Pulumi.local-pr-7.yaml"
    own.write_text("encryptionsalt: v1:abc\n")
    configure(tmp_path, "local-pr-7", EXPIRES)
    assert yaml.safe_load(own.read_text())["encryptionsalt"] == "v1:abc"


def test_without_a_dev_stack_there_is_nothing_to_derive_from(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match=r"no Pulumi\.dev\.yaml") as caught:
        configure(tmp_path, "pr-7", EXPIRES)
    assert caught.value.exit_code == 2


def test_the_environment_decides_whether_a_pull_requests_stack_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stack_name(7) == "pr-7"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert stack_name(7) == "local-pr-7"


def test_the_address_of_an_endpoint(tmp_path: Path) -> None:
    stack = Stack(root=tmp_path, project="slipway", name="pr-7", region="eu-west-1", environment={})
    url = "https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/slipway-pr-7/invocations"
    assert invocation_url(stack, "slipway-pr-7") == url


def test_a_folder_without_a_policy_pack_is_wrong_usage(tmp_path: Path) -> None:
    stack = Stack(root=tmp_path, project="slipway", name="dev", region="eu-west-1", environment={})
    with pytest.raises(SlipwayError, match=r"no policy pack in .*infra/policies") as caught:
        pack_of(stack, None)
    assert caught.value.exit_code == 2


DRIFTED = Plan(
    changes=(Change(change="update", type="t", name="logs", why=("retentionInDays",)),),
    unchanged=3,
    violations=(),
    warnings=(),
    error="",
    exit_code=0,
)
LEFT = [Leftover(kind="bucket", name="slipway-pr-3-data-0123456", how="name")]
NIGHTS: dict[str, tuple[Findings, int, str]] = {
    "quiet": (Findings(looked_at=["dev"]), 0, "No drift, no leaks, nothing expired."),
    "drift": (Findings(drift={"dev": DRIFTED}), 3, "| update | `logs` | `t` | `retentionInDays` |"),
    "leak": (Findings(leaks={"pr-3": LEFT}), 3, "- bucket `slipway-pr-3-data-0123456`"),
    "expired": (Findings(expired={"pr-4": "2026-11-01"}), 3, "`pr-4` expired on 2026-11-01."),
    "removed": (Findings(expired={"pr-4": "2026-11-01"}, removed=["pr-4"]), 0, "on 2026-11-01 and was removed."),
    "failed": (Findings(failures={"dev": "no credentials"}, drift={"prod": DRIFTED}), 1, "no credentials"),
}


@pytest.mark.parametrize("night", NIGHTS)
def test_what_a_night_means(night: str) -> None:
    findings, exit_code, line = NIGHTS[night]
    assert findings.exit_code == exit_code
    assert line in nightly_report(findings)


def test_stacks_are_known_by_their_files_in_the_state(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "stacks" / "slipway"
    folder.mkdir(parents=True)
    for name in ("dev.json", "dev.json.bak", "dev.pulumi-tags", "pr-7.json.gz", "pr-7.json.gz.bak"):
        (folder / name).touch()
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "prod.json").touch()
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    stack = Stack(root=tmp_path, project="slipway", name="dev", region="eu-west-1", environment=environment)
    assert known(stack) == ["dev", "pr-7"]


def test_what_the_policy_refused_is_told_with_exit_code_3_and_an_error_without_it() -> None:
    failure = Failure()
    failure.see({"diagnosticEvent": {"severity": "error", "message": "preview failed\n"}})
    assert (str(failure.error("dev", "")), failure.error("dev", "").exit_code) == ("preview failed", 1)
    facts = {"policyName": "tls-only", "resourceUrn": "a::b::data", "message": "TLS.\nno TLS"}
    failure.see({"policyEvent": {**facts, "enforcementLevel": "advisory"}})
    assert failure.error("dev", "").exit_code == 1
    failure.see({"policyEvent": {**facts, "enforcementLevel": "mandatory"}})
    refused = failure.error("dev", "")
    assert (str(refused), refused.exit_code) == ("the policy refuses stack dev:\n  tls-only: data: TLS. no TLS", 3)
