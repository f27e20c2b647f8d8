"""Systems Manager's parameters. The slash that a name begins with is not written twice in the ARN."""

from localaws.iam.rules import ANY, Parameters, Rule, Service, on

PARAMETER = "parameter/{Name}"


def _normalise(parameters: Parameters, region: str) -> Parameters:
    """`/a/b` is `parameter/a/b`."""
    single = {key: parameters[key].lstrip("/") for key in ("Name", "Path", "ResourceId") if key in parameters}
    several = {"Names": [name.lstrip("/") for name in parameters["Names"]]} if "Names" in parameters else {}
    return {**parameters, **single, **several}


SERVICE = Service(
    client="ssm",
    prefix="ssm",
    normalise=_normalise,
    rules={
        "PutParameter": Rule(resources=(PARAMETER,), tags="Tags", tag_action="AddTagsToResource"),
        **on(PARAMETER, "GetParameter", "DeleteParameter", "GetParameterHistory"),
        **on("parameter/{Names[]}", "GetParameters", "DeleteParameters"),
        **on("parameter/{Path}", "GetParametersByPath"),
        "AddTagsToResource": Rule(resources=("parameter/{ResourceId}",), tags="Tags"),
        "RemoveTagsFromResource": Rule(resources=("parameter/{ResourceId}",), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on("parameter/{ResourceId}", "ListTagsForResource"),
        **on(ANY, "DescribeParameters"),
    },
)
