"""What each operation asks permission for: one table a service. An operation without a row is denied to roles.

Action names and resource types are those of AWS's service authorization reference.
"""

from localaws.iam.actions import (
    autoscaling,
    budgets,
    ce,
    cloudtrail,
    cloudwatch,
    codebuild,
    ec2,
    ecr,
    events,
    iam,
    kms,
    lambda_,
    logs,
    pricing,
    sagemaker,
    scheduler,
    secrets,
    service_quotas,
    sns,
    ssm,
    sts,
    tagging,
)
from localaws.iam.rules import Service

SERVICES: tuple[Service, ...] = (
    autoscaling.SERVICE,
    budgets.SERVICE,
    ce.SERVICE,
    cloudtrail.SERVICE,
    cloudwatch.SERVICE,
    codebuild.SERVICE,
    ec2.SERVICE,
    ecr.SERVICE,
    events.SERVICE,
    iam.SERVICE,
    kms.SERVICE,
    lambda_.SERVICE,
    logs.SERVICE,
    pricing.SERVICE,
    sagemaker.SERVICE,
    sagemaker.RUNTIME,
    scheduler.SERVICE,
    secrets.SERVICE,
    service_quotas.SERVICE,
    sns.SERVICE,
    ssm.SERVICE,
    sts.SERVICE,
    tagging.SERVICE,
)
BY_CLIENT = {service.client: service for service in SERVICES}
