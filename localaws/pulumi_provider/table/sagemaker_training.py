"""SageMaker training jobs: submitted, not awaited; stopped before they are deleted."""

from __future__ import annotations

from localaws.pulumi_provider import waiters
from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.schema import (
    Act,
    Hooks,
    Input,
    Member,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
    each,
)

# SageMaker answers a plain ValidationException for what does not exist.
GONE = (
    "ValidationException:Could not find",
    "ValidationException:does not exist",
    "ValidationException:Requested resource not found",
    "ResourceNotFound",
)
# What a role that was made, or given its rights, a moment ago still leads to.
NOT_THERE_YET = ("ValidationException:Could not assume role", "ValidationException:Could not access")
TAGS = TagStyle(
    key={"ResourceArn": "arn"}, create="Tags", add="AddTags", remove="DeleteTags", list="ListTags", result="Tags"
)
DELETE_LIMIT_SECONDS = 45 * 60  # pulumi-aws' default
ENDED = ("Completed", "Failed", "Stopped")


def stop(kind: str, name_property: str) -> Act:
    """A hook that stops a running job and waits until it has: SageMaker refuses to delete a job that still runs.

    `kind` is the API's name of such jobs, `TrainingJob` or `HyperParameterTuningJob`.
    """

    def act(context: Context, state: Properties) -> None:
        name = state[name_property]
        key = {f"{kind}Name": name}

        def ended() -> str | None:
            status = context.call(f"Describe{kind}", key)[f"{kind}Status"]
            return status if status in ENDED else None

        if ended() is None:
            try:
                context.call(f"Stop{kind}", key)
            except CallError as error:
                # The job ended between the look and the stop.
                if ended() is None:
                    raise error
            waiters.until(context, f"the end of {kind} {name}", DELETE_LIMIT_SECONDS, ended)

    return act


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
    lagging=NOT_THERE_YET,
    hooks=Hooks(before_delete=stop("TrainingJob", "trainingJobName")),
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
