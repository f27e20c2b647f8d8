"""SageMaker models, endpoint configurations and endpoints."""

from __future__ import annotations

from localaws.pulumi_provider import waiters
from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.schema import (
    AutoName,
    Form,
    Hooks,
    Input,
    Member,
    Properties,
    Read,
    ResourceType,
    Step,
    each,
)
from localaws.pulumi_provider.table.sagemaker_training import GONE, NOT_THERE_YET, TAGS

NAME_LIMIT = 63  # characters, of every SageMaker name
IN_SERVICE_LIMIT_SECONDS = 60 * 60  # fixed in the real provider too
DELETE_LIMIT_SECONDS = 60 * 60
MOVING = ("Creating", "Updating", "SystemUpdating")


def _containers(path: str) -> dict[str, Member]:
    return {
        f"{path}.modelDataSource.s3DataSources": Member(api="S3DataSource", form=Form.LIST_OF_ONE),
        f"{path}.additionalModelDataSources.s3DataSources": Member(api="S3DataSource", form=Form.LIST_OF_ONE),
    }


def _newer_container_members(path: str) -> tuple[str, ...]:
    """Members that the API has and pulumi-aws does not."""
    sources = (f"{path}.modelDataSource.s3DataSources", f"{path}.additionalModelDataSources.s3DataSources")
    members = ("eTag", "hubAccessConfig", "manifestEtag", "manifestS3Uri")
    return (
        f"{path}.containerMetricsConfig",
        *(f"{source}.{member}" for source in sources for member in members),
    )


def _newer_variant_members(path: str) -> tuple[str, ...]:
    return (
        f"{path}.acceleratorPartitionLayouts",
        f"{path}.instancePools",
        f"{path}.managedInstanceScaling.scaleInPolicy",
        f"{path}.routingConfigs.prefixAwareRoutingConfig",
        f"{path}.variantInstanceProvisionTimeoutInSeconds",
    )


def _variants(path: str) -> dict[str, Member]:
    return {f"{path}.routingConfigs": Member(api="RoutingConfig", form=Form.LIST_OF_ONE)}


def _await_in_service(context: Context, properties: Properties) -> None:
    """Waits until the endpoint serves. Raises WaitError with AWS' reason if it ends in any other state.

    After a failed creation the endpoint stays in AWS but not in the state, and an update that AWS rolled back to the
    old configuration counts as done: both as with the real provider, whose users must look for themselves.
    """
    key = {"EndpointName": properties["name"]}

    def settled() -> dict[str, object] | None:
        answer = context.call("DescribeEndpoint", key)
        return None if answer["EndpointStatus"] in MOVING else answer

    what = f"endpoint {properties['name']} reaching InService"
    answer = waiters.until(context, what, IN_SERVICE_LIMIT_SECONDS, settled)
    if answer["EndpointStatus"] != "InService":
        reason = answer.get("FailureReason", "no reason given")
        raise waiters.WaitError(f"the endpoint is {answer['EndpointStatus']} instead of InService: {reason}")


def _await_gone(context: Context, state: Properties) -> None:
    """Waits until the endpoint is being deleted, which is when the real provider looks away."""
    key = {"EndpointName": state["name"]}

    def leaving() -> bool | None:
        try:
            return context.call("DescribeEndpoint", key)["EndpointStatus"] == "Deleting" or None
        except CallError as error:
            if error.matches(GONE):
                return True
            raise

    waiters.until(context, f"the deletion of endpoint {state['name']}", DELETE_LIMIT_SECONDS, leaving)


MODEL = ResourceType(
    token="aws:sagemaker/model:Model",
    service="sagemaker",
    create="CreateModel",
    read=Read(operation="DescribeModel"),
    delete="DeleteModel",
    key={"ModelName": "name"},
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="ModelName", replaces=True),
        "executionRoleArn": Input(required=True, replaces=True),
        **each(
            Input(replaces=True),
            "containers",
            "enableNetworkIsolation",
            "inferenceExecutionConfig",
            "primaryContainer",
            "vpcConfig",
        ),
    },
    nested={**_containers("containers"), **_containers("primaryContainer")},
    outputs={"arn": "ModelArn"},
    auto_name=AutoName(limit=NAME_LIMIT),
    tags=TAGS,
    gone=GONE,
    lagging=NOT_THERE_YET,
    absent=(*_newer_container_members("containers"), *_newer_container_members("primaryContainer")),
)

ENDPOINT_CONFIGURATION = ResourceType(
    token="aws:sagemaker/endpointConfiguration:EndpointConfiguration",
    service="sagemaker",
    create="CreateEndpointConfig",
    read=Read(operation="DescribeEndpointConfig"),
    delete="DeleteEndpointConfig",
    key={"EndpointConfigName": "name"},
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="EndpointConfigName", replaces=True),
        "productionVariants": Input(required=True, replaces=True),
        "kmsKeyArn": Input(api="KmsKeyId", replaces=True),
        **each(
            Input(replaces=True),
            "asyncInferenceConfig",
            "dataCaptureConfig",
            "executionRoleArn",
            "shadowProductionVariants",
        ),
    },
    nested={
        **_variants("productionVariants"),
        **_variants("shadowProductionVariants"),
        "asyncInferenceConfig.outputConfig.notificationConfig.includeInferenceResponseIns": Member(
            api="IncludeInferenceResponseIn"
        ),
    },
    outputs={"arn": "EndpointConfigArn"},
    auto_name=AutoName(prefix_property="namePrefix", limit=NAME_LIMIT),
    tags=TAGS,
    gone=GONE,
    absent=(*_newer_variant_members("productionVariants"), *_newer_variant_members("shadowProductionVariants")),
)

ENDPOINT = ResourceType(
    token="aws:sagemaker/endpoint:Endpoint",
    service="sagemaker",
    create="CreateEndpoint",
    read=Read(operation="DescribeEndpoint"),
    delete="DeleteEndpoint",
    key={"EndpointName": "name"},
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="EndpointName", replaces=True),
        "endpointConfigName": Input(required=True),
        "deploymentConfig": Input(read="LastDeploymentConfig"),
    },
    outputs={"arn": "EndpointArn"},
    # RetainAllVariantProperties is never sent, so an update resets the instance count, as with the real provider.
    steps=(Step(operation="UpdateEndpoint", properties=("endpointConfigName", "deploymentConfig")),),
    auto_name=AutoName(limit=NAME_LIMIT),
    tags=TAGS,
    gone=GONE,
    hooks=Hooks(after_create=_await_in_service, after_update=_await_in_service, after_delete=_await_gone),
)

ROWS = (MODEL, ENDPOINT_CONFIGURATION, ENDPOINT)
