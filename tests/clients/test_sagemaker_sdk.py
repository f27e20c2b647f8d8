"""The official SageMaker SDK (v3, its resource layer): create, wait, read, invoke, delete."""

import json

import pytest

from tests.unit.localaws.aws import ECHO_SERVER, REGION, Aws, unique

TRAIN = "#!/bin/sh\necho trained\necho x > ${SAGEMAKER_BASE_DIR:-/opt/ml}/model/x\n"


def test_resources_from_training_to_invocation(
    aws: Aws, client_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGEMAKER_VALIDATE_ROLE", "false")
    from sagemaker.core import shapes  # its import needs a region in the environment
    from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob

    name, image = unique("sdk"), aws.image({"train": TRAIN, "serve": ECHO_SERVER})
    job = TrainingJob.create(
        training_job_name=name,
        role_arn=aws.role,
        algorithm_specification=shapes.AlgorithmSpecification(training_image=image, training_input_mode="File"),
        output_data_config=shapes.OutputDataConfig(s3_output_path=f"s3://{aws.bucket}/out"),
        resource_config=shapes.ResourceConfig(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5),
        stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=600),
        region=REGION,
    )
    aws.job_done(name)
    job.wait(poll=1, logs=True)
    assert job.training_job_status == "Completed"
    artifact = job.model_artifacts.s3_model_artifacts
    container = shapes.ContainerDefinition(image=image, model_data_url=artifact)
    model = Model.create(model_name=name, primary_container=container, execution_role_arn=aws.role, region=REGION)
    assert model.primary_container.model_data_url == artifact
    variant = shapes.ProductionVariant(
        variant_name="v", model_name=name, instance_type="ml.m5.large", initial_instance_count=1
    )
    config = EndpointConfig.create(endpoint_config_name=name, production_variants=[variant], region=REGION)
    endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name, region=REGION)
    aws.settled(name)
    endpoint.wait_for_status("InService", poll=1)
    answer = endpoint.invoke(body=b"hello", content_type="text/plain")
    assert json.loads(answer.body.read())["body"] == "hello"
    endpoint.delete()
    endpoint.wait_for_delete(poll=1)
    config.delete()
    model.delete()
    job.delete()
    assert name not in [found["ModelName"] for found in aws.client("sagemaker").list_models()["Models"]]
