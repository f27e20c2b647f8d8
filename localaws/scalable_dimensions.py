"""A dimension of SageMaker that moto does not know: the provisioned concurrency of a serverless variant."""

from enum import Enum
from functools import cache

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED = "sagemaker:variant:DesiredProvisionedConcurrency"
OF_VARIANTS = (INSTANCES, PROVISIONED)


@cache
def install() -> None:
    """Let moto take it."""
    from moto.applicationautoscaling import models, responses  # takes long to import

    known = {one.name: one.value for one in models.ScalableDimensionValueSet}
    named = known | {"SAGEMAKER_VARIANT_DESIRED_PROVISIONED_CONCURRENCY": PROVISIONED}
    models.ScalableDimensionValueSet = responses.ScalableDimensionValueSet = Enum("ScalableDimensionValueSet", named)
