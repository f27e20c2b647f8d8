"""The resource types that this provider knows: one row each, by service."""

from __future__ import annotations

from collections.abc import Mapping

from localaws.pulumi_provider.schema import ResourceType
from localaws.pulumi_provider.table import (
    autoscaling,
    budgets,
    cloudtrail,
    cloudwatch,
    codebuild,
    ec2,
    ec2_security,
    ecr,
    iam,
    iam_oidc,
    kms,
    lambda_,
    logs,
    s3_configuration,
    s3_storage,
    sagemaker_hosting,
    sagemaker_registry,
    sagemaker_training,
    sagemaker_tuning,
    scheduler,
    sns,
)

_ROWS: tuple[ResourceType, ...] = (
    *s3_storage.ROWS,
    *s3_configuration.ROWS,
    *iam.ROWS,
    *iam_oidc.ROWS,
    *kms.ROWS,
    *ecr.ROWS,
    *codebuild.ROWS,
    *logs.ROWS,
    *cloudtrail.ROWS,
    *cloudwatch.ROWS,
    *sns.ROWS,
    *lambda_.ROWS,
    *scheduler.ROWS,
    *budgets.ROWS,
    *ec2.ROWS,
    *ec2_security.ROWS,
    *sagemaker_training.ROWS,
    *sagemaker_tuning.ROWS,
    *sagemaker_registry.ROWS,
    *sagemaker_hosting.ROWS,
    *autoscaling.ROWS,
)

TABLE: Mapping[str, ResourceType] = {row.token: row for row in _ROWS}
"""Rows by type token."""
