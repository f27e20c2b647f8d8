"""`slipway logs`: the log of a run, of the endpoint, or of the image's build, from CloudWatch."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from slipway.errors import USAGE, SlipwayError
from slipway.project import Stack
from slipway.records import RUN_LOGS

POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Source:
    """A log group and the beginning of the names of the streams that matter."""

    group: str
    stream_prefix: str


@dataclass(frozen=True, kw_only=True)
class Line:
    timestamp_ms: int
    stream: str
    message: str


def run_source(stack: Stack, run: str) -> Source:
    """The log of run `run`, or of the newest one for "latest"."""
    return Source(group=RUN_LOGS, stream_prefix=f"{newest_run(stack) if run == 'latest' else run}/")


def endpoint_source(stack: Stack) -> Source:
    return Source(group=f"/aws/sagemaker/Endpoints/{stack.prefix}", stream_prefix="")


def build_source(stack: Stack) -> Source:
    return Source(group=f"/aws/codebuild/{stack.prefix}-build", stream_prefix="")


def newest_run(stack: Stack) -> str:
    """The name of the stack's newest training job. Raises SlipwayError when there is none."""
    jobs = stack.client("sagemaker").list_training_jobs(
        NameContains=f"{stack.prefix}-", SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["TrainingJobSummaries"]
    if not jobs:
        raise SlipwayError(f"stack {stack.name} has no run; make one: pulumi up --stack {stack.name}", USAGE)
    name: str = jobs[0]["TrainingJobName"]
    return name


class Tail:
    """Reads what is new in the streams of a source at each call."""

    def __init__(self, stack: Stack, source: Source) -> None:
        self._logs = stack.client("logs")
        self._source = source
        self._tokens: dict[str, str] = {}

    def new_lines(self) -> list[Line]:
        """The lines since the last call, in time order; none while the group does not exist."""
        lines = []
        for stream in self._streams():
            while True:
                token = self._tokens.get(stream)
                page = self._logs.get_log_events(
                    logGroupName=self._source.group,
                    logStreamName=stream,
                    startFromHead=True,
                    **({"nextToken": token} if token else {}),
                )
                self._tokens[stream] = page["nextForwardToken"]
                lines += [
                    Line(timestamp_ms=event["timestamp"], stream=stream, message=event["message"].rstrip("\n"))
                    for event in page["events"]
                ]
                if page["nextForwardToken"] == token or not page["events"]:
                    break
        return sorted(lines, key=lambda line: line.timestamp_ms)

    def _streams(self) -> list[str]:
        prefix = {"logStreamNamePrefix": self._source.stream_prefix} if self._source.stream_prefix else {}
        try:
            found = self._logs.describe_log_streams(logGroupName=self._source.group, **prefix)["logStreams"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return []
            raise
        return [stream["logStreamName"] for stream in found]


def read(stack: Stack, source: Source, follow: bool) -> Iterator[Line]:
    """The lines of a source; with `follow`, for ever."""
    tail = Tail(stack, source)
    while True:
        yield from tail.new_lines()
        if not follow:
            return
        time.sleep(POLL_SECONDS)
