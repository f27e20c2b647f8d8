"""CodeBuild projects."""

from __future__ import annotations

from localaws.pulumi_provider.schema import AutoName, Input, Member, Read, ResourceType, Step, TagStyle, each

BUILD_MINUTES = 60  # CodeBuild's default limit of a build
QUEUE_MINUTES = 480  # and of its wait in the queue

_IN_PLACE = (
    "artifacts",
    "autoRetryLimit",
    "badgeEnabled",
    "buildBatchConfig",
    "buildTimeout",
    "cache",
    "concurrentBuildLimit",
    "description",
    "encryptionKey",
    "environment",
    "fileSystemLocations",
    "logsConfig",
    "queuedTimeout",
    "secondaryArtifacts",
    "secondarySourceVersions",
    "secondarySources",
    "serviceRole",
    "source",
    "sourceVersion",
    "vpcConfig",
)

PROJECT = ResourceType(
    token="aws:codebuild/project:Project",
    service="codebuild",
    create="CreateProject",
    read=Read(operation="BatchGetProjects", result="projects[0]", key={"names": "name"}),
    delete="DeleteProject",
    key={"name": "name"},
    list_keys=("names",),
    id="{arn}",
    import_id=r"(?:arn:.*:project/)?(?P<name>[^/]+)",
    inputs={
        "name": Input(replaces=True),
        **each(Input(required=True), "artifacts", "environment", "serviceRole", "source"),
        "badgeEnabled": Input(read="badge.badgeEnabled", default=False),
        "buildTimeout": Input(api="timeoutInMinutes", default=BUILD_MINUTES),
        "queuedTimeout": Input(api="queuedTimeoutInMinutes", default=QUEUE_MINUTES),
        "description": Input(cleared=""),
        **each(
            Input(),
            "autoRetryLimit",
            "buildBatchConfig",
            "cache",
            "concurrentBuildLimit",
            "encryptionKey",
            "fileSystemLocations",
            "logsConfig",
            "secondaryArtifacts",
            "secondarySourceVersions",
            "secondarySources",
            "sourceVersion",
            "vpcConfig",
        ),
    },
    nested={
        "cache.type": Member(default="NO_CACHE"),
        "logsConfig.cloudwatchLogs": Member(api="cloudWatchLogs"),
        "logsConfig.cloudwatchLogs.status": Member(default="ENABLED"),
        "logsConfig.s3Logs.status": Member(default="DISABLED"),
        "buildBatchConfig.restrictions.computeTypesAlloweds": Member(api="computeTypesAllowed"),
    },
    outputs={"arn": "arn", "badgeUrl": "badge.badgeRequestUrl"},
    steps=(Step(operation="UpdateProject", properties=_IN_PLACE),),
    auto_name=AutoName(limit=150),
    tags=TagStyle(
        key={"name": "name"},
        create="tags",
        add="UpdateProject",
        add_member="tags",
        remove=None,
        whole=True,
        pairs=("key", "value"),
        result="tags",
    ),
    gone=("ResourceNotFoundException",),
    absent=(
        "buildBatchConfig.batchReportMode",
        "buildBatchConfig.restrictions.fleetsAllowed",
        "environment.computeConfiguration",
        "environment.dockerServer.status",
        "source.sourceIdentifier",
    ),
    refused=("projectVisibility", "resourceAccessRole"),
)

ROWS = (PROJECT,)
