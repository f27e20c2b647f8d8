"""The pack's tables against AWS's own data, and the page against the code."""

import re
from pathlib import Path
from typing import Any

import botocore.session
from policy_sentry.querying.actions import get_actions_for_service, get_actions_that_support_wildcard_arns_only

from infra.policies.accelerators import PER_SIZE, accelerators
from infra.policies.kinds import LIMITS, kind_of
from infra.policies.page import page
from infra.policies.permissions import WITHOUT_RESOURCE
from infra.policies.rule import Resource
from infra.presets import PRESETS

ROOT = Path(__file__).resolve().parents[3]
ACCELERATED_FAMILY = re.compile(r"ml\.(p|g|gr|trn|inf|dl)\d.*")


def sagemaker_instance_types() -> set[str]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    shapes: list[Any] = [model.shape_for(name) for name in ("TrainingInstanceType", "ProductionVariantInstanceType")]
    return {one for shape in shapes for one in shape.enum}


def test_actions_without_a_resource_are_those_that_aws_lists() -> None:
    for service, actions in WITHOUT_RESOURCE.items():
        aws = set(get_actions_that_support_wildcard_arns_only(service))
        wrong = {f"{service}:{action}" for action in actions} - aws
        assert not wrong, f"AWS takes a resource for, or does not know, {wrong}"
    assert "s3:GetObject" in get_actions_for_service("s3")


def test_every_accelerated_instance_type_of_sagemaker_is_in_the_table() -> None:
    for one in sagemaker_instance_types():
        count = accelerators(one)
        assert count is not None, f"{one} is not in the table"
        assert (count > 0) == bool(ACCELERATED_FAMILY.fullmatch(one)), one


def test_the_table_has_no_family_that_sagemaker_lacks() -> None:
    assert set(PER_SIZE) <= {one.split(".")[1] for one in sagemaker_instance_types()}


def test_accelerators_of_well_known_types() -> None:
    known = {"ml.g5.xlarge": 1, "ml.g5.48xlarge": 8, "ml.p5.48xlarge": 8, "ml.m5.large": 0, "ml.p99.huge": None}
    assert {one: accelerators(one) for one in known} == known


def test_kinds_are_the_presets() -> None:
    assert set(LIMITS) == set(PRESETS)


def test_the_kind_is_the_tag_or_follows_from_the_stack() -> None:
    def kind(stack: str, **tags: str) -> str:
        urn = f"urn:pulumi:{stack}::slipway::aws:iam/role:Role::r"
        return kind_of(Resource(type="aws:iam/role:Role", name="r", urn=urn, inputs={"tags": tags} if tags else {}))

    assert kind("dev", **{"slipway:kind": "prod"}) == "prod"
    names = {"prod": "prod", "local-prod": "prod", "pr-7": "pull_request", "local-pr-7": "pull_request", "anna": "dev"}
    assert {name: kind(name) for name in names} == names


def test_the_page_is_what_the_code_says() -> None:
    shown = (ROOT / "docs" / "policies.md").read_text()
    assert shown == page() + "\n", "write it anew: python -m infra.policies.page > docs/policies.md"
