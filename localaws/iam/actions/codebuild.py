"""CodeBuild: builds belong to their project, so build ids name its ARN."""

from localaws.iam.rules import ANY, Parameters, Rule, Service, on

PROJECT = "project/{name}"
TO_CODEBUILD = "codebuild.amazonaws.com"


def _normalise(parameters: Parameters, region: str) -> Parameters:
    """A build's id is `PROJECT:UUID`."""
    ids = {"ids": [_project(text) for text in parameters["ids"]]} if "ids" in parameters else {}
    one = {"id": _project(parameters["id"])} if "id" in parameters else {}
    return {**parameters, **ids, **one}


def _project(build: str) -> str:
    return build.rpartition(":")[0].replace(":build/", ":project/")


SERVICE = Service(
    client="codebuild",
    prefix="codebuild",
    normalise=_normalise,
    rules={
        "CreateProject": Rule(resources=(PROJECT,), passes={"serviceRole": TO_CODEBUILD}, tags="tags"),
        "UpdateProject": Rule(resources=(PROJECT,), passes={"serviceRole": TO_CODEBUILD}, tags="tags"),
        **on(PROJECT, "DeleteProject"),
        **on("project/{names[]}", "BatchGetProjects"),
        "StartBuild": Rule(resources=("project/{projectName}",), passes={"serviceRoleOverride": TO_CODEBUILD}),
        **on("project/{projectName}", "ListBuildsForProject"),
        **on("project/{ids[]}", "BatchGetBuilds"),
        **on("project/{id}", "StopBuild", "RetryBuild"),
        **on(ANY, "ListProjects", "ListBuilds"),
    },
)
