"""Which operations of which services are answered here; everything else is moto's. The one table of the front."""

from dataclasses import dataclass

from localaws import autoscaling, codebuild, logs, tagging
from localaws.alarms import api as alarms
from localaws.cloud import Handler
from localaws.sagemaker import endpoints, models, registry, tags, training, tuning
from localaws.sagemaker.transform import api as transform


@dataclass(frozen=True, kw_only=True)
class Service:
    """`name` is botocore's, `target` the part of X-Amz-Target before the dot, `moto` moto's module or "" for none.

    `moto` is where operations go that are not ours. CodeBuild has its own whole state: moto's would not know it.
    """

    name: str
    target: str
    moto: str
    operations: dict[str, Handler]


SERVICES = (
    Service(
        name="sagemaker",
        target="SageMaker",
        moto="sagemaker",
        operations={
            **training.OPERATIONS,
            **tuning.OPERATIONS,
            **registry.OPERATIONS,
            **models.OPERATIONS,
            **endpoints.OPERATIONS,
            **transform.OPERATIONS,
            **tags.OPERATIONS,
        },
    ),
    Service(name="codebuild", target="CodeBuild_20161006", moto="", operations=codebuild.OPERATIONS),
    Service(
        name="application-autoscaling",
        target="AnyScaleFrontendService",
        moto="applicationautoscaling",
        operations=autoscaling.OPERATIONS,
    ),
    Service(name="cloudwatch", target="GraniteServiceVersion20100801", moto="cloudwatch", operations=alarms.OPERATIONS),
    Service(name="logs", target="Logs_20140328", moto="logs", operations=logs.OPERATIONS),
    Service(
        name="resourcegroupstaggingapi",
        target="ResourceGroupsTaggingAPI_20170126",
        moto="resourcegroupstaggingapi",
        operations=tagging.OPERATIONS,
    ),
)
BY_TARGET = {service.target: service for service in SERVICES}
