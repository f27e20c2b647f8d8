"""SageMaker training jobs: submitted, not awaited; stopped before they are deleted."""

from __future__ import annotations

from localaws.pulumi_provider import waiters
from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.schema import Hooks, Input, Member, Properties, Read, ResourceType, Step, TagStyle, each

# SageMaker answers a plain ValidationException for what does not exist.
GONE = (
    "ValidationException:Could not find",
    "ValidationException:does not exist",
    "ValidationException:Requested resource not found",
    "ResourceNotFound",
)
TAGS = TagStyle(
    key={"ResourceArn": "arn"}, create="Tags", add="AddTags", remove="DeleteTags", list="ListTags", result="Tags"
)
DELETE_LIMIT_SECONDS = 45 * 60  # pulumi-aws' default
ENDED = ("Completed", "Failed", "Stopped")


def _stop(context: Context, state: Properties) -> None:
    """Stops a running job and waits until it has stopped: SageMaker refuses to delete a job that still runs."""
    key = {"TrainingJobName": state["trainingJobName"]}

    def ended() -> str | None:
        status = context.call("DescribeTrainingJob", key)["TrainingJobStatus"]
        return status if status in ENDED else None

    if ended() is None:
        try:
            context.call("StopTrainingJob", key)
        except CallError as error:
            # The job ended between the look and the stop.
            if ended() is None:
                raise error
        waiters.until(context, f"the end of training job {state['trainingJobName']}", DELETE_LIMIT_SECONDS, ended)


TRAINING_JOB = ResourceType(
    token="aws:sagemaker/trainingJob:TrainingJob",
    service="sagemaker",
    # Create returns once the job is accepted: a green `up` means submitted, as with the real provider.
    create="CreateTrainingJob",
    read=Read(operation="DescribeTrainingJob"),
    delete="DeleteTrainingJob",
    key={"TrainingJobName": "trainingJobName"},
    id="{trainingJobName}",
    import_id=r"(?P<trainingJobName>.+)",
    inputs={
        "trainingJobName": Input(required=True, replaces=True),
        "roleArn": Input(required=True, replaces=True),
        **each(
            Input(replaces=True),
            "algorithmSpecification",
            "checkpointConfig",
            "debugHookConfig",
            "debugRuleConfigurations",
            "enableInterContainerTrafficEncryption",
            "enableManagedSpotTraining",
            "enableNetworkIsolation",
            "environment",
            "experimentConfig",
            "hyperParameters",
            "infraCheckConfig",
            "mlflowConfig",
            "modelPackageConfig",
            "outputDataConfig",
            "retryStrategy",
            "serverlessJobConfig",
            "sessionChainingConfig",
            "stoppingCondition",
            "tensorBoardOutputConfig",
            "vpcConfig",
        ),
        "inputDataConfigs": Input(api="InputDataConfig", replaces=True),
        "profilerConfig": Input(),
        "profilerRuleConfigurations": Input(),
        "remoteDebugConfig": Input(),
        "resourceConfig": Input(replaces=True, updatable=("keepAlivePeriodInSeconds",)),
        "timeouts": Input(local=True),
    },
    nested={
        "algorithmSpecification.containerEntrypoints": Member(api="ContainerEntrypoint"),
        "algorithmSpecification.enableSagemakerMetricsTimeSeries": Member(api="EnableSageMakerMetricsTimeSeries"),
    },
    outputs={"arn": "TrainingJobArn"},
    steps=(
        Step(
            operation="UpdateTrainingJob",
            properties=("profilerConfig", "profilerRuleConfigurations", "remoteDebugConfig"),
        ),
        Step(operation="UpdateTrainingJob", properties=("resourceConfig",)),
    ),
    tags=TAGS,
    gone=GONE,
    hooks=Hooks(before_delete=_stop),
    absent=(
        "inputDataConfigs.dataSource.datasetSource",
        "resourceConfig.instancePreferences",
        "resourceConfig.selectedInstanceCount",
        "resourceConfig.selectedInstanceType",
        "serverlessJobConfig.sequenceLength",
    ),
    refused=("deleteModelPackagesOnDestroy", "deleteVpcEnisOnDestroy"),
)

ROWS = (TRAINING_JOB,)
