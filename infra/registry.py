"""Registry: the model package group that every run which passed its gate is registered in.

It outlives `pulumi destroy`: SageMaker refuses to delete a group that holds packages, and no resource deletes those.
It costs nothing; `slipway down` removes packages and group.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    prefix: str
    incarnation: Output[str]


class Registry(pulumi.ComponentResource):
    """Outputs: group (its name)."""

    group: Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Registry", name, None, opts)
        group = aws.sagemaker.ModelPackageGroup(
            f"{args.prefix}-models",
            # The incarnation of the bucket: after destroy and up the group of before still holds its packages.
            model_package_group_name=Output.concat(args.prefix, "-models-", args.incarnation),
            model_package_group_description=f"slipway: the runs of {args.prefix} that passed their gate",
            opts=ResourceOptions(parent=self, retain_on_delete=True),
        )
        self.group = group.model_package_group_name
        self.register_outputs({"group": self.group})
