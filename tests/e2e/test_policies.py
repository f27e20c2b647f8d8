"""The policy pack in the real engine: it stops a program that breaks a rule, and lets ours through."""

import json
import re

from tests.e2e.checkout import Checkout, Done

OFFENDER = """
import pulumi
import pulumi_aws as aws

tags = {"slipway:project": "slipway", "slipway:stack": "local", "slipway:owner": "me", "slipway:expires": "2030-01-31"}
opts = pulumi.ResourceOptions(provider=aws.Provider("aws", region="eu-west-1", default_tags={"tags": tags}))
aws.cloudwatch.LogGroup("endless", opts=opts)
aws.ecr.Repository("moving", image_tag_mutability="MUTABLE",
                   image_scanning_configuration={"scan_on_push": True}, opts=opts)
"""
VERDICTS = (
    "[mandatory]  log-retention  (aws:cloudwatch/logGroup:LogGroup: endless)",
    "endless: logs are kept, and billed, for ever; set slipway:log_retention_days",
    "[advisory]  ecr-immutable-tags  (aws:ecr/repository:Repository: moving)",
    "moving: image_tag_mutability is MUTABLE; allowed: IMMUTABLE",
)


def preview(checkout: Checkout, *options: str) -> Done:
    return checkout.run("pulumi", "preview", "--non-interactive", "--policy-pack", "infra/policies", *options)


def test_the_pack_stops_an_offender_by_name_and_lets_our_program_through(running: Checkout) -> None:
    main = running.folder / "infra" / "__main__.py"
    ours = main.read_text()
    main.write_text(OFFENDER)
    levels = running.folder / "levels.json"
    levels.write_text(json.dumps({"ecr-immutable-tags": "advisory"}))
    stopped = preview(running, "--policy-pack-config", str(levels))
    assert stopped.code != 0
    for verdict in VERDICTS:
        assert verdict in stopped.text, stopped.text

    main.write_text(ours)
    running.configure(expires="2030-01-31")
    passed = preview(running)
    assert passed.code == 0, passed.text
    assert "slipway@v0.1.0 (local: infra/policies)" in passed.text
    verdicts = re.findall(r"^ +- \[.*", passed.text, re.MULTILINE)
    assert [verdict.split("(")[0].strip(" -") for verdict in verdicts] == ["[advisory]  topic-encryption"] * 2, (
        passed.text
    )
    environments = list((running.folder / "infra").rglob("pyvenv.cfg"))
    assert not environments, "the engine made an environment of its own for the pack"
