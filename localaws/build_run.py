"""One CodeBuild build: downloads the source, runs the buildspec's phases, records what happened.

Phases and their order are AWS's: a failing INSTALL or PRE_BUILD ends the build, a failing BUILD still runs
POST_BUILD with CODEBUILD_BUILD_SUCCEEDING=0. Variables and the working directory pass from command to command.
"""

import io
import os
import shlex
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from localaws import docker_cli, roles, s3
from localaws.buildspec import Buildspec, BuildspecError, Phase, load
from localaws.clock import Event
from localaws.cloud import Cloud
from localaws.iam.platform import AccessError, Actor
from localaws.money import meters
from localaws.money.ledger import Tags
from localaws.processes import Process, Sink

# $1 the command, $2 where to leave the variables, $3 where to leave the working directory.
COMMAND_SCRIPT = """trap 'rc=$?; env -0 > "$2"; pwd > "$3"; exit $rc' EXIT
. "$1"
"""
NEVER_CARRIED = ("_", "SHLVL", "OLDPWD", "PWD")


SESSION = "codebuild"


class PhaseError(Exception):
    """Ends a phase as FAILED with this context."""

    def __init__(self, status_code: str, message: str) -> None:
        super().__init__(message)
        self.context = {"statusCode": status_code, "message": message}


class BuildRun:
    """Runs one build in a thread of its own. `build` is the mutable record that BatchGetBuilds shows."""

    def __init__(self, cloud: Cloud, region: str, build: dict[str, Any], tags: Tags) -> None:
        """`tags` are the project's, for the bill."""
        self._cloud = cloud
        self._region = region
        self._build = build
        self._actor = Actor(cloud=cloud, role=build["serviceRole"], region=region, session=SESSION)
        self._sink: Sink = lambda lines: None
        self._process: Process | None = None
        self._spec: Buildspec | None = None
        self._stopped = False
        self.finished: Event = cloud.clock.event()
        self._work = cloud.folder("builds", build["projectName"])
        self._source = self._work / "src"
        self._cwd = self._source
        self._env = self._environment()
        self._bill = meters.build(cloud, region, build, tags)

    def _say(self, line: str) -> None:
        self._sink([f"[Container] {line}"])

    def stop(self, status: str = "STOPPED") -> None:
        """End the build: the running command is killed."""
        self._stopped = True
        self._build["buildStatus"] = status
        if self._process is not None:
            self._process.kill()

    def _environment(self) -> dict[str, str]:
        build, shims, store = self._build, self._work / "bin", self._work / "docker"
        for folder in (self._source, shims, store):
            folder.mkdir()
        docker_cli.write_shims(shims)
        path = [str(shims), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        given = {item["name"]: item["value"] for item in build["environment"].get("environmentVariables", [])}
        return {
            "PATH": os.pathsep.join(path),
            "HOME": str(self._work),
            "LANG": "C.UTF-8",
            "AWS_ENDPOINT_URL": self._cloud.url,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            **roles.credentials(self._cloud, build["serviceRole"], SESSION),
            "LOCALAWS_URL": self._cloud.url,
            "LOCALAWS_DOCKER": str(store),
            "CODEBUILD_BUILD_ARN": build["arn"],
            "CODEBUILD_BUILD_ID": build["id"],
            "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
            "CODEBUILD_BUILD_IMAGE": build["environment"]["image"],
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            "CODEBUILD_INITIATOR": build["initiator"],
            "CODEBUILD_LOG_PATH": build["logs"]["streamName"],
            "CODEBUILD_SRC_DIR": str(self._source),
            "CODEBUILD_SOURCE_REPO_URL": build["source"].get("location", ""),
            "CODEBUILD_SOURCE_VERSION": build.get("sourceVersion") or "",
            "CODEBUILD_START_TIME": str(int(build["startTime"] * 1000)),
            **given,
        }

    def run(self) -> None:
        """Body of the build's thread."""
        try:
            if self._phase("SUBMITTED", self._open_log):
                for name in ("QUEUED", "PROVISIONING"):
                    self._phase(name, lambda: None)
                if self._phase("DOWNLOAD_SOURCE", self._download) and self._spec is not None:
                    self._run_spec(self._spec)
            self._phase("UPLOAD_ARTIFACTS", lambda: None)
            self._phase("FINALIZING", lambda: None)
        except Exception:
            # AWS's status for "the build environment, not the build, went wrong"; the traceback is in our own log.
            self._build["buildStatus"] = "FAULT"
            raise
        finally:
            self._finish()

    def _run_spec(self, spec: Buildspec) -> None:
        for name in ("install", "pre_build", "build"):
            if not self._phase(name.upper(), partial(self._commands, spec.phases.get(name, Phase()))):
                self._env["CODEBUILD_BUILD_SUCCEEDING"] = "0"
                if name != "build" or self._stopped:
                    return
        self._phase("POST_BUILD", partial(self._commands, spec.phases.get("post_build", Phase())))
        exported = [{"name": name, "value": self._env[name]} for name in spec.exported if name in self._env]
        self._build["exportedEnvironmentVariables"] = exported

    def _phase(self, name: str, body: Callable[[], None]) -> bool:
        now = self._cloud.clock.now
        record: dict[str, Any] = {"phaseType": name, "startTime": now()}
        self._build["phases"].append(record)
        self._build["currentPhase"] = name
        context = {"statusCode": "", "message": ""}
        status = "SUCCEEDED"
        try:
            body()
        except PhaseError as error:
            status, context = "FAILED", error.context
            self._say(f"Phase context status code: {context['statusCode']} Message: {context['message']}")
            if not self._stopped:
                self._build["buildStatus"] = "FAILED"
        if self._stopped and status == "FAILED":
            status = self._build["buildStatus"]
        self._say(f"Phase complete: {name} State: {status}")
        end = now()
        record |= {"endTime": end, "phaseStatus": status, "contexts": [context]}
        record["durationInSeconds"] = int(end - record["startTime"])
        return status == "SUCCEEDED"

    def _open_log(self) -> None:
        where, role = self._build["logs"], self._build["serviceRole"]
        try:
            self._sink = self._actor.log(where["groupName"], where["streamName"])
        except AccessError as error:
            text = f"Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams"
            raise PhaseError(
                "ACCESS_DENIED", f"{text} for build {self._build['arn']}. Error message: {error}"
            ) from error

    def _download(self) -> None:
        source = self._build["source"]
        if source["type"] == "S3":
            bucket, _, key = source["location"].partition("/")
            try:
                self._actor.read([(bucket, key)])
                archive = zipfile.ZipFile(io.BytesIO(s3.read(bucket, key)))
            except AccessError as error:
                text = f"AccessDenied: Access Denied status code: 403: {error} for primary source"
                raise PhaseError("CLIENT_ERROR", text) from error
            except FileNotFoundError as error:
                text = f"NoSuchKey: The specified key does not exist. status code: 404: {error} for primary source"
                raise PhaseError("CLIENT_ERROR", text) from error
            except zipfile.BadZipFile as error:
                raise PhaseError("CLIENT_ERROR", f"s3://{bucket}/{key} is not a zip archive: {error}") from error
            _unzip(archive, self._source)
        try:
            self._spec = load(source.get("buildspec", ""), self._source)
        except BuildspecError as error:
            raise PhaseError("YAML_FILE_ERROR", str(error)) from error
        given = {item["name"] for item in self._build["environment"].get("environmentVariables", [])}
        self._env |= {name: value for name, value in self._spec.variables.items() if name not in given}

    def _commands(self, phase: Phase) -> None:
        try:
            for command in phase.commands:
                self._command(command)
        finally:
            for command in phase.finally_:
                self._command(command)

    def _command(self, command: str) -> None:
        if self._stopped:
            raise PhaseError("BUILD_STOPPED", "the build was stopped")
        self._say(f"Running command {command}")
        script, variables, cwd = (self._work / name for name in ("command", "variables", "cwd"))
        script.write_text(command + "\n")
        assert self._spec is not None
        words = [self._spec.shell, "-c", COMMAND_SCRIPT, "sh", str(script), str(variables), str(cwd)]
        self._process = self._cloud.launcher.start(words, cwd=self._cwd, env=self._env, sink=self._sink)
        if self._stopped:
            self._process.kill()
        code = self._process.wait()
        if code:
            text = f"Error while executing command: {shlex.join([command])[:500]}. Reason: exit status {code}"
            raise PhaseError("COMMAND_EXECUTION_ERROR", text)
        self._env = _read_variables(variables.read_bytes())
        self._cwd = Path(cwd.read_text().rstrip("\n"))

    def _finish(self) -> None:
        build = self._build
        self._phase("COMPLETED", lambda: None)
        if build["buildStatus"] == "IN_PROGRESS":
            build["buildStatus"] = "SUCCEEDED"
        build |= {"buildComplete": True, "endTime": self._cloud.clock.now()}
        self._bill.stop(build["endTime"])
        shutil.rmtree(self._work, ignore_errors=True)
        self.finished.set()


def _unzip(archive: zipfile.ZipFile, folder: Path) -> None:
    """Extract with the execute bits that the archive records, which zipfile alone forgets."""
    for item in archive.infolist():
        place = Path(archive.extract(item, folder))
        mode = item.external_attr >> 16 & 0o777
        if mode and place.is_file():
            place.chmod(mode | 0o600)


def _read_variables(dump: bytes) -> dict[str, str]:
    pairs: Mapping[str, str] = dict(
        entry.decode("utf-8", "surrogateescape").split("=", 1) for entry in dump.split(b"\0") if b"=" in entry
    )
    return {name: value for name, value in pairs.items() if name not in NEVER_CARRIED}
