"""Whether the names that the plan takes as they are, without random letters, are free.

What exists under such a name and is not in the stack's state makes the engine fail half-way, with everything before it
made. A failed endpoint of the stack itself is no hindrance: `pulumi up` removes it.
"""

from collections.abc import Callable, Mapping

from botocore.exceptions import ClientError

from slipway.cost.planned import Resource
from slipway.preflight.finding import Finding, UnknownError, asking, unknown
from slipway.preflight.plan import ENDPOINT, Plan
from slipway.project import Stack

CHECK = "names"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PROJECT = "aws:codebuild/project:Project"
NAMES = {ENDPOINT: "name", LOG_GROUP: "name", PROJECT: "name"}
"""Type -> the input that holds the name. (A dashboard of the same name is simply overwritten.)"""


def check(stack: Stack, plan: Plan) -> list[Finding]:
    """One finding for all that are free, and one for each that is taken."""
    wanted = [(kind, one) for kind in NAMES for one in plan.changing(kind, "create")]
    judged, free = [], []
    for kind, one in wanted:
        name = str(one.get(NAMES[kind], default=""))
        if not name:
            continue
        try:
            holder = LOOK[kind](stack, name)
        except UnknownError as error:
            judged.append(unknown(CHECK, error))
            continue
        if not holder:
            free.append(name)
        else:
            judged.append(_taken(stack, kind, one, name, holder))
    return [*([Finding(check=CHECK, level="ok", found=f"free: {', '.join(free)}")] if free else []), *judged]


def _taken(stack: Stack, kind: str, one: Resource, name: str, holder: str) -> Finding:
    return Finding(
        check=CHECK,
        level="problem",
        found=f"{holder} exists, and is not in the state of stack {stack.name}",
        needed=f"the name {name}",
        mend=f"remove it: slipway down --stack {stack.name}; or take it over: pulumi import {kind} {one.name} {name}",
    )


def _endpoint(stack: Stack, name: str) -> str:
    with asking(f"endpoint {name}", "sagemaker:DescribeEndpoint"):
        try:
            found = stack.client("sagemaker").describe_endpoint(EndpointName=name)
        except ClientError as error:
            if "Could not find" in error.response["Error"]["Message"]:
                return ""
            raise
    if found["EndpointStatus"] == "Failed":
        return ""
    return f"endpoint {name} ({found['EndpointStatus']})"


def _log_group(stack: Stack, name: str) -> str:
    with asking(f"log group {name}", "logs:DescribeLogGroups"):
        groups = stack.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return f"log group {name}" if any(one["logGroupName"] == name for one in groups) else ""


def _project(stack: Stack, name: str) -> str:
    with asking(f"CodeBuild project {name}", "codebuild:BatchGetProjects"):
        found = stack.client("codebuild").batch_get_projects(names=[name])["projects"]
    return f"CodeBuild project {name}" if found else ""


LOOK: Mapping[str, Callable[[Stack, str], str]] = {ENDPOINT: _endpoint, LOG_GROUP: _log_group, PROJECT: _project}
