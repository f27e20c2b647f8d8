"""What of a stack still exists in AWS, whatever Pulumi's state says.

Found twice over: by name in every service the program touches, and by tag through the tagging API. A name counts when
it is one the program makes (`own_name`) and no tag says that it is another stack's, so that stack `dev` does not claim
what belongs to `dev-eu`. What it costs is `slipway.teardown.worth`, how it goes `slipway.teardown.removal`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError

from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.searches import BY_NAME, BY_TAG, DENIED, pages
from slipway.teardown.arns import RECORD_KINDS, WITH_THEIR_OWNER, exists, identify, kind_of

PARTS = (
    r"access-logs|alarm-[a-z0-9-]+|alarms|budget|build|build-logs|check|config|data|deploy|deploy-pr|deploy-pr-teardown"
    r"|deploy-teardown|endpoints?|guard|guard-logs|image|jobs|key|model|office-[a-z]+|run|scaling[a-z0-9-]*|schedule|serve"
    r"|shadow[a-z-]*|spending|train|trail|trail-logs|vpc[a-z0-9.-]*"
)
"""What stands between the stack's name and the seven hex digits, in which no stack's own name ends."""
AT_ONCE = 8  # searches


@dataclass(frozen=True, kw_only=True, order=True)
class Leftover:
    """Something of the stack that exists. `name` is what AWS's calls want; `how` is name or tag: how it was found."""

    kind: str
    name: str
    how: str


def own_name(prefix: str, name: str) -> bool:
    """Whether the program makes this name for the stack with this prefix."""
    pattern = (
        rf"{re.escape(prefix)}"
        rf"(-({PARTS})-[0-9a-f]{{7}}|-[0-9a-f]{{12}}-[0-9a-f]{{7}}|-[0-9a-f]{{7}})?"
    )
    return re.fullmatch(pattern, name) is not None


def find_leaks(stack: Stack, looked_at: Callable[[str], None] = lambda kind: None) -> list[Leftover]:
    """Everything of the stack that still exists; `looked_at` is told each kind as it is searched.

    What AWS is already deleting is not counted: it bills no more, and it may take minutes (a key: days) to go.
    Raises SlipwayError, naming the kinds, when AWS does not let us search for some: nothing would be proven.
    """
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="search") as pool:
        leaving = pool.submit(being_deleted, stack)
        searches = {kind: pool.submit(_by_name, stack, kind) for kind in BY_NAME}
        searches |= {kind: pool.submit(_by_tag, stack, kind) for kind in BY_TAG}
        tags = pool.submit(lambda: dict(_stacks_by_arn(stack)))
        found = _results(stack, searches, looked_at)
        looked_at("tags")
        owners = {identify(arn): owner for arn, owner in tags.result().items()}
        # A stack may be called as the beginning of another one's names; its tags tell the two apart.
        found = [one for one in found if owners.get((one.kind, one.name), stack.name) == stack.name]
        strange = _found_by_tag_alone(stack, owners, tags.result(), found)
        there = pool.map(lambda one: exists(stack, one.kind, one.name), strange)
        found += [one for one, exist in zip(strange, there, strict=True) if exist]
    return sorted(one for one in found if one.kind != "endpoint" or one.name not in leaving.result())


def _by_name(stack: Stack, kind: str) -> list[Leftover]:
    own = (thing for thing in BY_NAME[kind](stack) if own_name(stack.prefix, thing.name))
    return [Leftover(kind=kind, name=identity, how="name") for identity in dict.fromkeys(one.identity for one in own)]


def _by_tag(stack: Stack, kind: str) -> list[Leftover]:
    return [Leftover(kind=kind, name=name, how="tag") for name in BY_TAG[kind](stack)]


def _results(
    stack: Stack, searches: Mapping[str, "Future[list[Leftover]]"], looked_at: Callable[[str], None]
) -> list[Leftover]:
    found: list[Leftover] = []
    denied: dict[str, str] = {}
    for kind, search in searches.items():
        looked_at(kind)
        try:
            found += search.result()
        except ClientError as error:
            if error.response["Error"]["Code"] not in DENIED:
                raise
            denied[kind] = error.response["Error"]["Message"]
    if denied:
        listed = "\n".join(f"  {kind}: {message}" for kind, message in denied.items())
        raise SlipwayError(
            f"whether anything of {stack.prefix} exists is not known: these credentials may not search for\n{listed}\n"
            "Use the deploy role of the stack, or credentials that may read the account"
        )
    return found


def _found_by_tag_alone(
    stack: Stack, owners: Mapping[tuple[str, str], str], arns: Mapping[str, str], found: list[Leftover]
) -> list[Leftover]:
    known = {(one.kind, one.name) for one in found}
    ignored = {identify(arn) for arn in arns if kind_of(arn) in (*RECORD_KINDS, *WITH_THEIR_OWNER)}
    own = {key for key, owner in owners.items() if owner == stack.name} - known - ignored
    return [Leftover(kind=kind, name=name, how="tag") for kind, name in sorted(own)]


def being_deleted(stack: Stack) -> list[str]:
    """Names of the stack's endpoints that AWS is deleting."""
    entries = pages(stack.client("sagemaker"), "list_endpoints", "Endpoints", NameContains=stack.prefix)
    leaving = (entry["EndpointName"] for entry in entries if entry["EndpointStatus"] == "Deleting")
    return [name for name in leaving if own_name(stack.prefix, name)]


def _stacks_by_arn(stack: Stack) -> Iterator[tuple[str, str]]:
    """Everything with the project's tag, as far as the tagging API lists its service, and the stack it is of."""
    filters = [{"Key": "slipway:project", "Values": [stack.project]}]
    client = stack.client("resourcegroupstaggingapi")
    for entry in pages(client, "get_resources", "ResourceTagMappingList", TagFilters=filters):
        owner = {tag["Key"]: tag["Value"] for tag in entry["Tags"]}.get("slipway:stack")
        if owner:
            yield entry["ResourceARN"], owner


def tagged_arns(stack: Stack) -> list[str]:
    """Everything that carries the stack's tags, as far as the tagging API lists its service."""
    return [arn for arn, owner in _stacks_by_arn(stack) if owner == stack.name]
