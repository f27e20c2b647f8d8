"""What of a stack still exists in AWS, whatever Pulumi's state says.

Found twice over: by name in every service the program touches, and by tag through the tagging API. A name counts when
it is one the program makes (`own_name`), so that stack `dev` does not claim what belongs to `dev-eu`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from slipway.project import Stack
from slipway.searches import BY_NAME, BY_TAG, own_tags, pages

PARTS = (
    r"access-logs|alarm-[a-z0-9-]+|alarms|build|build-logs|config|data|deploy|deploy-pr|endpoints?|guard|image|jobs|key|model|run"
    r"|scaling[a-z0-9-]*|schedule|serve|shadow[a-z-]*|train|trail|trail-logs|vpc[a-z0-9.-]*"
)
RECORD_KINDS = ("sagemaker model-package-group", "sagemaker model-package")
"""Found by tag, cost nothing, and kept on purpose: see slipway.records."""
RUNNING = ("InProgress", "Stopping")


@dataclass(frozen=True, kw_only=True, order=True)
class Leftover:
    """Something of the stack that exists. `how` is name or tag: how it was found."""

    kind: str
    name: str
    how: str


def own_name(prefix: str, name: str) -> bool:
    """Whether the program makes this name for the stack with this prefix."""
    pattern = rf"{re.escape(prefix)}(-({PARTS})(-[0-9a-f]{{7}})?|-[0-9a-f]{{12}}-[0-9a-f]{{7}}|-[0-9a-f]{{7}})?"
    return re.fullmatch(pattern, name) is not None


def find_leaks(stack: Stack, looked_at: Callable[[str], None] = lambda kind: None) -> list[Leftover]:
    """Everything of the stack that still exists; `looked_at` is told each kind as it is searched.

    What AWS is already deleting is not counted: it bills no more, and it may take minutes (a key: days) to go.
    """
    leaving = set(being_deleted(stack))
    found = []
    for kind, search in BY_NAME.items():
        looked_at(kind)
        names = [name for name in search(stack) if own_name(stack.prefix, last_part(name))]
        found += [Leftover(kind=kind, name=name, how="name") for name in names]
    for kind, search in BY_TAG.items():
        looked_at(kind)
        found += [Leftover(kind=kind, name=name, how="tag") for name in search(stack)]
    looked_at("tags")
    known = {last_part(leftover.name) for leftover in found}
    tagged = [arn for arn in tagged_arns(stack) if last_part(arn) not in known]
    found += [Leftover(kind=kind_of(arn), name=arn, how="tag") for arn in tagged if not _harmless(stack, arn)]
    return sorted(leftover for leftover in found if last_part(leftover.name) not in leaving)


def being_deleted(stack: Stack) -> list[str]:
    """Names of the stack's endpoints that AWS is deleting."""
    entries = pages(stack.client("sagemaker"), "list_endpoints", "Endpoints", NameContains=stack.prefix)
    leaving = (entry["EndpointName"] for entry in entries if entry["EndpointStatus"] == "Deleting")
    return [name for name in leaving if own_name(stack.prefix, name)]


def _harmless(stack: Stack, arn: str) -> bool:
    """Whether this is a record, an ended training job, or a key that waits for its deletion (7 to 30 days, free)."""
    kind = kind_of(arn)
    if kind == "sagemaker training-job":
        return _state(stack, "sagemaker", "describe_training_job", TrainingJobName=last_part(arn)) not in RUNNING
    if kind == "kms key":
        return _state(stack, "kms", "describe_key", KeyId=arn) in ("PendingDeletion", "")
    return kind in RECORD_KINDS


def _state(stack: Stack, service: str, operation: str, **key: str) -> str:
    """The state of something the tagging API listed, empty when it is gone: that listing lags."""
    try:
        found = getattr(stack.client(service), operation)(**key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NotFoundException", "ResourceNotFound", "ValidationException"):
            return ""
        raise
    state: str = found["KeyMetadata"]["KeyState"] if service == "kms" else found["TrainingJobStatus"]
    return state


def last_part(name: str) -> str:
    """The part of a name or ARN that the program chose: endpoint/x/variant/y -> x, arn:...:role/x -> x."""
    if name.startswith("endpoint/"):
        return name.split("/")[1]
    return re.split(r"[:/]", name.removesuffix(":*"))[-1]


def kind_of(arn: str) -> str:
    """arn:aws:sagemaker:...:training-job/x -> sagemaker training-job."""
    parts = arn.split(":", 5)
    return f"{parts[2]} {re.split('[:/]', parts[5])[0]}" if len(parts) == 6 else arn


def tagged_arns(stack: Stack) -> Iterator[str]:
    """Everything that carries the stack's tags, as far as the tagging API lists its service."""
    filters = [{"Key": key, "Values": [value]} for key, value in own_tags(stack).items()]
    client = stack.client("resourcegroupstaggingapi")
    for entry in pages(client, "get_resources", "ResourceTagMappingList", TagFilters=filters):
        yield entry["ResourceARN"]
