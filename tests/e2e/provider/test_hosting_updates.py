"""What the engine does with the options that Serving puts on its endpoint."""

from __future__ import annotations

import pytest

from tests.e2e.provider.conftest import Project

PROGRAM = """
import os

model = aws.sagemaker.Model(
    "model",
    execution_role_arn="arn:aws:iam::123456789012:role/serve",
    primary_container={"image": "i:1", "model_data_url": "s3://bucket/model.tar.gz"},
)
config = aws.sagemaker.EndpointConfiguration(
    "config",
    production_variants=[
        {
            "variant_name": os.environ["VARIANT"],
            "model_name": model.name,
            "instance_type": "ml.m5.large",
            "initial_instance_count": 1,
            "initial_variant_weight": 1,
        }
    ],
)
aws.sagemaker.Endpoint(
    "endpoint",
    name="demo",
    endpoint_config_name=config.name,
    opts=pulumi.ResourceOptions(replacement_trigger=os.environ["MODE"], delete_before_replace=True),
)
"""


def set_to(project: Project, *, variant: str = "a", mode: str = "real_time") -> None:
    project.environment.update(VARIANT=variant, MODE=mode)


@pytest.mark.rehearsal
def test_another_mode_makes_the_endpoint_anew_under_its_name_and_leaves_nothing(project: Project) -> None:
    project.program(PROGRAM)
    set_to(project)
    project.up()
    set_to(project, variant="b", mode="async")
    assert project.up()["endpoint"]["op"] in ("replace", "create-replacement", "delete-replaced")
    sagemaker = project.client("sagemaker")
    (config,) = [one["EndpointConfigName"] for one in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    assert sagemaker.describe_endpoint(EndpointName="demo")["EndpointConfigName"] == config
    assert project.up() == {}
    project.run("destroy", "--yes", "--skip-preview")
