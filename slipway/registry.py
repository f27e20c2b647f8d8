"""The stack's model registry, by API: its group, its packages, and what is approved.

The program registers every run that passed its gate (infra/registry.py); a package carries the run's name and metrics.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from slipway.errors import USAGE, SlipwayError
from slipway.project import Stack

APPROVED, REJECTED = "Approved", "Rejected"


@dataclass(frozen=True, kw_only=True)
class Package:
    """One registered run. `status` is AWS's word: Approved, PendingManualApproval or Rejected."""

    arn: str
    run: str
    status: str
    created: datetime
    artifact: str
    metrics: dict[str, str] = field(default_factory=dict)


def groups(stack: Stack) -> list[str]:
    """The stack's model package groups, newest first: each time the stack is made anew it has another."""
    sagemaker = stack.client("sagemaker")
    prefix = f"{stack.prefix}-models-"
    found = [
        summary
        for page in sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=prefix)
        for summary in page["ModelPackageGroupSummaryList"]
        if summary["ModelPackageGroupName"].startswith(prefix)
    ]
    found.sort(key=lambda summary: summary["CreationTime"], reverse=True)
    return [summary["ModelPackageGroupName"] for summary in found]


def packages(stack: Stack) -> list[Package]:
    """The packages of the stack's newest group, newest first; none when there is no group."""
    found = groups(stack)
    return packages_of(stack, found[0]) if found else []


def packages_of(stack: Stack, group: str) -> list[Package]:
    """The packages of one group, newest first."""
    sagemaker = stack.client("sagemaker")
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
    )
    return [
        _package(sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"]))
        for page in pages
        for summary in page["ModelPackageSummaryList"]
    ]


def _package(found: dict[str, Any]) -> Package:
    facts = dict(found.get("CustomerMetadataProperties", {}))
    return Package(
        arn=found["ModelPackageArn"],
        run=facts.pop("run", ""),
        status=found["ModelApprovalStatus"],
        created=found["CreationTime"],
        artifact=found["InferenceSpecification"]["Containers"][0].get("ModelDataUrl", ""),
        metrics=facts,
    )


def approve(stack: Stack, run: str) -> Package:
    """Approve the package of `run`, so that it is the one that registry:approved means; returns it.

    SageMaker orders packages by their creation. Newer ones that were approved are therefore set to rejected: the run
    that somebody names is the one that must serve. Raises SlipwayError when the run is not registered.
    """
    known = packages(stack)
    wanted = next((package for package in known if package.run == run), None)
    if wanted is None:
        names = ", ".join(package.run for package in known) or "none"
        raise SlipwayError(f"run {run!r} is not registered in stack {stack.name}; registered: {names}", USAGE)
    for package in known:
        if package.created > wanted.created and package.status == APPROVED:
            _set(stack, package, REJECTED, f"slipway: {run} was promoted over it")
    _set(stack, wanted, APPROVED, "slipway promote")
    return wanted


def reject_newest(stack: Stack) -> tuple[Package, Package]:
    """Reject the newest approved package: (it, the one approved before it). Raises SlipwayError without a second."""
    approved = [package for package in packages(stack) if package.status == APPROVED]
    if len(approved) < 2:
        names = ", ".join(package.run for package in approved) or "none"
        raise SlipwayError(
            f"stack {stack.name} has nothing to go back to; approved: {names}. "
            f"Approve another run: slipway promote RUN --stack {stack.name}"
        )
    _set(stack, approved[0], REJECTED, "slipway rollback")
    return approved[0], approved[1]


def _set(stack: Stack, package: Package, status: str, reason: str) -> None:
    stack.client("sagemaker").update_model_package(
        ModelPackageArn=package.arn, ModelApprovalStatus=status, ApprovalDescription=reason
    )
