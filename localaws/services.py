"""Which operations of which services are answered here; everything else is moto's. The one table of the front."""

from collections.abc import Mapping
from dataclasses import dataclass

from localaws import autoscaling, codebuild, lazy, logs, service_quotas, tagging
from localaws.alarms import api as alarms
from localaws.cloud import Handler
from localaws.functions import api as functions
from localaws.sagemaker import endpoints, models, registry, tags, training, tuning
from localaws.sagemaker.transform import api as transform
from localaws.schedules import api as schedules


@dataclass(frozen=True, kw_only=True)
class Service:
    """`name` is botocore's, `target` the part of X-Amz-Target before the dot, `moto` moto's module or "" for none.

    A REST service has no target: rest.py finds its operations by the path.
    `moto` is where operations go that are not ours. CodeBuild has its own whole state: moto's would not know it.
    """

    name: str
    target: str
    moto: str
    operations: Mapping[str, Handler]


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
        name="service-quotas",
        target="ServiceQuotasV20190624",
        moto="servicequotas",
        operations=service_quotas.OPERATIONS,
    ),
    Service(
        name="pricing", target="AWSPriceListService", moto="", operations=lazy.Operations("localaws.money.pricing")
    ),
    Service(
        name="ce",
        target="AWSInsightsIndexService",
        moto="",
        operations=lazy.Operations("localaws.money.cost_explorer", "localaws.money.cost_values"),
    ),
    Service(
        name="budgets",
        target="AWSBudgetServiceGateway",
        moto="",
        operations=lazy.Operations("localaws.money.budgets"),
    ),
    Service(
        name="resourcegroupstaggingapi",
        target="ResourceGroupsTaggingAPI_20170126",
        moto="resourcegroupstaggingapi",
        operations=tagging.OPERATIONS,
    ),
    Service(name="lambda", target="", moto="awslambda", operations=functions.OPERATIONS),
    Service(name="scheduler", target="", moto="", operations=schedules.OPERATIONS),
)
BY_TARGET = {service.target: service for service in SERVICES if service.target}
BY_SCOPE = {service.name: service for service in SERVICES if not service.target}
