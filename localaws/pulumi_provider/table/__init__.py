"""The resource types that this provider knows: one row each, by service."""

from __future__ import annotations

from collections.abc import Mapping

from localaws.pulumi_provider.schema import ResourceType
from localaws.pulumi_provider.table import (
    autoscaling,
    codebuild,
    ecr,
    iam,
    logs,
    s3_configuration,
    s3_storage,
    sagemaker_hosting,
    sagemaker_training,
)

_ROWS: tuple[ResourceType, ...] = (
    *s3_storage.ROWS,
    *s3_configuration.ROWS,
    *iam.ROWS,
    *ecr.ROWS,
    *codebuild.ROWS,
    *logs.ROWS,
    *sagemaker_training.ROWS,
    *sagemaker_hosting.ROWS,
    *autoscaling.ROWS,
)

TABLE: Mapping[str, ResourceType] = {row.token: row for row in _ROWS}
"""Rows by type token."""
