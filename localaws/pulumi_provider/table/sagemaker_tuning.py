"""SageMaker hyperparameter tuning jobs: submitted, not awaited; stopped before they are deleted. Nothing updates."""

from __future__ import annotations

from localaws.pulumi_provider.schema import AutoName, Form, Hooks, Input, Member, Read, ResourceType, each
from localaws.pulumi_provider.table.sagemaker_training import GONE, NOT_THERE_YET, TAGS, stop

NAME_LIMIT = 32  # characters: SageMaker appends a suffix to it for each training job


def _definition(path: str) -> dict[str, Member]:
    return {
        f"{path}.inputDataConfigs": Member(api="InputDataConfig"),
        f"{path}.retryStrategies": Member(api="RetryStrategy", form=Form.LIST_OF_ONE),
    }


def _newer_members(path: str) -> tuple[str, ...]:
    """Members that the API has and pulumi-aws does not."""
    return (
        f"{path}.inputDataConfigs.dataSource.datasetSource",
        f"{path}.resourceConfig.instancePreferences",
        f"{path}.resourceConfig.selectedInstanceCount",
        f"{path}.resourceConfig.selectedInstanceType",
    )


TUNING_JOB = ResourceType(
    token="aws:sagemaker/hyperParameterTuningJob:HyperParameterTuningJob",
    service="sagemaker",
    create="CreateHyperParameterTuningJob",
    read=Read(operation="DescribeHyperParameterTuningJob"),
    delete="DeleteHyperParameterTuningJob",
    key={"HyperParameterTuningJobName": "name"},
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="HyperParameterTuningJobName", replaces=True),
        "config": Input(api="HyperParameterTuningJobConfig", required=True, replaces=True),
        **each(Input(replaces=True), "autotune", "trainingJobDefinition", "trainingJobDefinitions", "warmStartConfig"),
        "timeouts": Input(local=True),
    },
    nested={
        "config.objective": Member(api="HyperParameterTuningJobObjective"),
        "warmStartConfig.parentHyperParameterTuningJobs.name": Member(api="HyperParameterTuningJobName"),
        **_definition("trainingJobDefinition"),
        **_definition("trainingJobDefinitions"),
    },
    outputs={
        "arn": "HyperParameterTuningJobArn",
        "failureReason": "FailureReason",
        "status": "HyperParameterTuningJobStatus",
    },
    auto_name=AutoName(limit=NAME_LIMIT),
    tags=TAGS,
    gone=GONE,
    lagging=NOT_THERE_YET,
    hooks=Hooks(before_delete=stop("HyperParameterTuningJob", "name")),
    absent=(*_newer_members("trainingJobDefinition"), *_newer_members("trainingJobDefinitions")),
)

ROWS = (TUNING_JOB,)
