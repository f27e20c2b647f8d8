"""CodeBuild's API: projects and builds. A build really runs (build_run.py); nothing else of the service is here."""

import threading
import uuid
from collections.abc import Mapping
from typing import Any

from localaws import roles
from localaws.build_run import BuildRun
from localaws.cloud import Call, Handler, Store, arn
from localaws.errors import AwsError
from localaws.paging import page

DEFAULT_TIMEOUT_MINUTES = 60
DEFAULT_QUEUE_MINUTES = 480
SOURCE_TYPES = ("S3", "NO_SOURCE")
OVERRIDES = {  # StartBuild's parameter: (part of the build, its field)
    "buildspecOverride": ("source", "buildspec"),
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "imageOverride": ("environment", "image"),
    "computeTypeOverride": ("environment", "computeType"),
    "environmentTypeOverride": ("environment", "type"),
    "privilegedModeOverride": ("environment", "privilegedMode"),
}


class Builds(Store):
    """One region's projects and builds."""

    def __init__(self) -> None:
        self.projects: dict[str, dict[str, Any]] = {}
        self.builds: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, BuildRun] = {}
        self.lock = threading.RLock()

    def close(self) -> None:
        for run in list(self.runs.values()):
            if not run.finished.is_set():
                run.stop()
                run.finished.wait()


def _store(call: Call) -> Builds:
    return call.cloud.store(call.region, Builds)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidInputException", message)


def _project(call: Call, name: str) -> dict[str, Any]:
    projects = _store(call).projects
    if name not in projects:
        raise AwsError("ResourceNotFoundException", f"Project cannot be found: {arn('codebuild', call.region, name)}")
    return projects[name]


def _check(call: Call, project: Mapping[str, Any]) -> None:
    source, role = project["source"], project["serviceRole"]
    if source["type"] not in SOURCE_TYPES:
        raise _invalid(f"source type {source['type']} is not emulated; emulated: {', '.join(SOURCE_TYPES)}")
    if source["type"] == "S3" and "/" not in source.get("location", ""):
        raise _invalid(f"Invalid project source: location {source.get('location')!r} must be bucket/key")
    if source["type"] == "NO_SOURCE" and not source.get("buildspec"):
        raise _invalid("Invalid project source: buildspec is required for NO_SOURCE")
    name = project.get("name") or project["projectName"]
    if not roles.assumable(role, "codebuild.amazonaws.com", arn("codebuild", call.region, f"project/{name}")):
        raise _invalid(f"CodeBuild is not authorized to perform: sts:AssumeRole on service role. Role: {role}")


def create_project(call: Call) -> Mapping[str, Any]:
    """sources S3 and NO_SOURCE; artifacts are not uploaded"""
    name, now = call.request["name"], call.cloud.clock.now()
    _check(call, call.request)
    with _store(call).lock:
        if name in _store(call).projects:
            where = arn("codebuild", call.region, f"project/{name}")
            raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {where}")
        project = {
            "timeoutInMinutes": DEFAULT_TIMEOUT_MINUTES,
            "queuedTimeoutInMinutes": DEFAULT_QUEUE_MINUTES,
            "encryptionKey": arn("kms", call.region, "alias/aws/s3"),
            "tags": [],
            "cache": {"type": "NO_CACHE"},
            "badge": {"badgeEnabled": False},
            "projectVisibility": "PRIVATE",
            **call.request,
            "arn": arn("codebuild", call.region, f"project/{name}"),
            "created": now,
            "lastModified": now,
        }
        _store(call).projects[name] = project
    return {"project": project}


def update_project(call: Call) -> Mapping[str, Any]:
    project = _project(call, call.request["name"])
    changed = {**project, **call.request, "lastModified": call.cloud.clock.now()}
    _check(call, changed)
    project.update(changed)
    return {"project": project}


def delete_project(call: Call) -> None:
    _store(call).projects.pop(call.request["name"], None)


def _short(name: str) -> str:
    return name.rsplit("project/", 1)[-1]


def batch_get_projects(call: Call) -> Mapping[str, Any]:
    projects = _store(call).projects
    names = [_short(name) for name in call.request["names"]]
    return {
        "projects": [projects[name] for name in names if name in projects],
        "projectsNotFound": [name for name in names if name not in projects],
    }


def list_projects(call: Call) -> Mapping[str, Any]:
    names = sorted(_store(call).projects, reverse=call.request.get("sortOrder") == "DESCENDING")
    shown, token = page(names, call.request.get("nextToken"), 100)
    return {"projects": shown, "nextToken": token}


def start_build(call: Call) -> Mapping[str, Any]:
    """runs at once; no queue"""
    request, cloud, store = call.request, call.cloud, _store(call)
    project = _project(call, _short(request["projectName"]))
    build = _new_build(call, project)
    _check(call, build)
    run = BuildRun(cloud, call.region, build, {tag["key"]: tag.get("value", "") for tag in project["tags"]})
    with store.lock:
        store.builds[build["id"]], store.runs[build["id"]] = build, run
    threading.Thread(target=run.run, name=build["id"], daemon=True).start()
    threading.Thread(target=_limit, args=(call, build, run), name=f"{build['id']}-limit", daemon=True).start()
    return {"build": build}


def _limit(call: Call, build: Mapping[str, Any], run: BuildRun) -> None:
    if not call.cloud.clock.wait(run.finished, build["timeoutInMinutes"] * 60):
        run.stop("TIMED_OUT")


def _new_build(call: Call, project: Mapping[str, Any]) -> dict[str, Any]:
    request, name, stream = call.request, project["name"], str(uuid.uuid4())
    parts: dict[str, dict[str, Any]] = {"source": {**project["source"]}, "environment": {**project["environment"]}}
    for parameter, (part, key) in OVERRIDES.items():
        if parameter in request:
            parts[part][key] = request[parameter]
    variables = {item["name"]: item for item in project["environment"].get("environmentVariables", [])}
    variables |= {item["name"]: item for item in request.get("environmentVariablesOverride", [])}
    wrong = [item for item in variables.values() if item.get("type", "PLAINTEXT") != "PLAINTEXT"]
    if wrong:
        raise _invalid(f"variable {wrong[0]['name']} has type {wrong[0]['type']}; localaws emulates PLAINTEXT only")
    parts["environment"]["environmentVariables"] = list(variables.values())
    group = project.get("logsConfig", {}).get("cloudWatchLogs", {}).get("groupName", f"/aws/codebuild/{name}")
    return {
        **parts,
        "id": f"{name}:{stream}",
        "arn": arn("codebuild", call.region, f"build/{name}:{stream}"),
        "buildNumber": sum(build["projectName"] == name for build in _store(call).builds.values()) + 1,
        "startTime": call.cloud.clock.now(),
        "currentPhase": "SUBMITTED",
        "buildStatus": "IN_PROGRESS",
        "buildComplete": False,
        "projectName": name,
        "phases": [],
        "sourceVersion": request.get("sourceVersion"),
        "artifacts": {"location": ""},
        "cache": project["cache"],
        "serviceRole": request.get("serviceRoleOverride", project["serviceRole"]),
        "timeoutInMinutes": request.get("timeoutInMinutesOverride", project["timeoutInMinutes"]),
        "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
        "encryptionKey": project["encryptionKey"],
        "initiator": "localaws",
        "logs": {
            "groupName": group,
            "streamName": stream,
            "cloudWatchLogsArn": arn("logs", call.region, f"log-group:{group}:log-stream:{stream}"),
        },
    }


def batch_get_builds(call: Call) -> Mapping[str, Any]:
    builds = _store(call).builds
    return {
        "builds": [builds[build] for build in call.request["ids"] if build in builds],
        "buildsNotFound": [build for build in call.request["ids"] if build not in builds],
    }


def list_builds_for_project(call: Call) -> Mapping[str, Any]:
    name = _project(call, _short(call.request["projectName"]))["name"]
    ids = [build["id"] for build in _store(call).builds.values() if build["projectName"] == name]
    if call.request.get("sortOrder", "DESCENDING") == "DESCENDING":
        ids.reverse()
    shown, token = page(ids, call.request.get("nextToken"), 100)
    return {"ids": shown, "nextToken": token}


def list_builds(call: Call) -> Mapping[str, Any]:
    shown, token = page(list(reversed(_store(call).builds)), call.request.get("nextToken"), 100)
    return {"ids": shown, "nextToken": token}


def stop_build(call: Call) -> Mapping[str, Any]:
    store, build = _store(call), call.request["id"]
    if build not in store.builds:
        raise AwsError("ResourceNotFoundException", f"Build cannot be found: {build}")
    if not store.runs[build].finished.is_set():
        store.runs[build].stop()
        store.runs[build].finished.wait()
    return {"build": store.builds[build]}


OPERATIONS: dict[str, Handler] = {
    "BatchGetBuilds": batch_get_builds,
    "BatchGetProjects": batch_get_projects,
    "CreateProject": create_project,
    "DeleteProject": delete_project,
    "ListBuilds": list_builds,
    "ListBuildsForProject": list_builds_for_project,
    "ListProjects": list_projects,
    "StartBuild": start_build,
    "StopBuild": stop_build,
    "UpdateProject": update_project,
}
