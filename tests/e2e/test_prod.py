"""The preset `prod` from nothing to nothing, as a team rehearses it: Pulumi.prod.yaml under a local name."""

import json

import pytest
import yaml

from tests.e2e.checkout import ROOT, Checkout

SMALL = {"model": "mlp", "epochs": 2}  # the preset is under test, not the training


@pytest.fixture
def prod(running: Checkout) -> Checkout:
    document = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
    document["config"]["slipway:training"].update(hyperparameters=SMALL, min_accuracy=0.3)
    (running.folder / "Pulumi.local-prod.yaml").write_text(yaml.safe_dump(document))
    running.ok("pulumi", "stack", "init", "local-prod", "--non-interactive")
    return running


@pytest.mark.rehearsal
def test_prod_goes_up_is_approved_proven_and_goes_down(prod: Checkout) -> None:
    stack = ("--stack", "local-prod")
    waits = prod.up(*stack)
    assert waits.code == 0, waits.text
    assert "endpoint" not in outputs(prod), "an endpoint of a model that nobody has approved"

    promoted = prod.ok("slipway", "promote", outputs(prod)["run"], *stack)
    assert "2 x " in promoted and "as recorded in the artifact" in promoted
    proven = json.loads(prod.ok("slipway", "verify", *stack, "--json"))
    assert [one["check"] for one in proven] == ["in service", "example", "scaling", "alarms"]

    refused = prod.run("slipway", "down", *stack)
    assert refused.code == 1 and "pulumi config set slipway:protect false" in refused.err, refused.text
    prod.ok("pulumi", "config", "set", "slipway:protect", "false", *stack)
    unprotected = prod.up(*stack)
    assert unprotected.code == 0, unprotected.text
    for answer in ((), ("--yes",), ("--name", "prod")):
        kept = prod.run("slipway", "down", *stack, *answer)
        assert kept.code == 2 and "local-prod" in kept.err, kept.text
    gone = prod.ok("slipway", "down", *stack, "--name", "local-prod")
    assert "nothing left of slipway-local-prod" in gone


def outputs(checkout: Checkout) -> dict[str, object]:
    found: dict[str, object] = json.loads(checkout.ok("pulumi", "stack", "output", "--json", "--stack", "local-prod"))
    return found
