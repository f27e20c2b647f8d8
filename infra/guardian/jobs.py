"""Which jobs are the stack's, and how each kind is listed, described and stopped.

A run's name tells: <project>-<stack>-<12 hex>-<7 hex>, which no other stack makes. Any other job is the stack's when it
carries both of its tags: tuning jobs and their children, transform jobs, jobs that somebody started by hand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .facts import Facts

RUNNING = "InProgress"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of job in SageMaker's API. `Name` and so on follow from `noun`."""

    what: str
    noun: str
    listing: str
    call: str
    """The operations are list_<call>s, describe_<call>, stop_<call>."""

    def listed(self, sagemaker: Any, **wanted: Any) -> Iterator[dict[str, Any]]:
        for page in sagemaker.get_paginator(f"list_{self.call}s").paginate(**wanted):
            yield from page[self.listing]

    def describe(self, sagemaker: Any, name: str) -> dict[str, Any]:
        found: dict[str, Any] = getattr(sagemaker, f"describe_{self.call}")(**{f"{self.noun}Name": name})
        return found

    def stop(self, sagemaker: Any, name: str) -> None:
        getattr(sagemaker, f"stop_{self.call}")(**{f"{self.noun}Name": name})


TUNING = Kind(
    what="tuning job",
    noun="HyperParameterTuningJob",
    listing="HyperParameterTuningJobSummaries",
    call="hyper_parameter_tuning_job",
)
TRAINING = Kind(what="training job", noun="TrainingJob", listing="TrainingJobSummaries", call="training_job")
TRANSFORM = Kind(what="transform job", noun="TransformJob", listing="TransformJobSummaries", call="transform_job")
KINDS = (TUNING, TRAINING, TRANSFORM)
"""In the order in which they are stopped: a tuning job would start another training job."""


def is_run(prefix: str, name: str) -> bool:
    """Whether the program makes this name for a training job of the stack with this prefix."""
    return re.fullmatch(rf"{re.escape(prefix)}-[0-9a-f]{{12}}-[0-9a-f]{{7}}", name) is not None


def of_stack(sagemaker: Any, facts: Facts, kind: Kind, **wanted: Any) -> Iterator[str]:
    """The names of the stack's jobs of a kind, of those that the listing gives."""
    for entry in kind.listed(sagemaker, **wanted):
        name: str = entry[f"{kind.noun}Name"]
        if (kind is TRAINING and is_run(facts.prefix, name)) or _tagged(sagemaker, facts, entry[f"{kind.noun}Arn"]):
            yield name


def _tagged(sagemaker: Any, facts: Facts, arn: str) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    return facts.tags.items() <= tags.items()
