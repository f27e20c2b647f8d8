"""CloudWatch Logs: what containers and builds print, and the parts of the service that moto gets wrong."""

import threading
from collections.abc import Mapping
from typing import Any

from localaws.cloud import Call, Cloud, Handler, backend
from localaws.errors import AwsError
from localaws.money import log_bytes
from localaws.processes import Sink

_lock = threading.Lock()  # moto's log streams are not thread-safe


def stream(cloud: Cloud, region: str, group: str, name: str) -> Sink:
    """Make a log stream (and its group) and return the function that appends lines to it."""
    logs = backend("logs", region)
    with _lock:
        if group not in logs.groups:
            logs.create_log_group(group, {})
        if name not in logs.groups[group].streams:
            logs.create_log_stream(group, name)

    def append(lines: list[str]) -> None:
        stamp = int(cloud.clock.now() * 1000)
        log_bytes.count(cloud, region, group, lines)
        # An empty message is refused by the real service, so an empty line is kept as a blank.
        events = [{"timestamp": stamp, "message": line or " "} for line in lines]
        with _lock:
            if group in logs.groups and name in logs.groups[group].streams:  # else: deleted meanwhile
                logs.groups[group].streams[name].put_log_events(events)

    return append


def filter_log_events(call: Call) -> Mapping[str, Any]:
    """honours logStreamNamePrefix, which moto ignores"""
    request = call.request
    group_name = request.get("logGroupName") or request.get("logGroupIdentifier", "").split("log-group:")[-1]
    group = backend("logs", call.region).groups.get(group_name)
    if group is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    prefix = request.get("logStreamNamePrefix")
    names = list(request.get("logStreamNames", []))
    if prefix is not None:
        if names:
            raise AwsError("InvalidParameterException", "logStreamNames and logStreamNamePrefix exclude each other.")
        names = [name for name in list(group.streams) if name.startswith(prefix)]
        if not names:  # moto takes an empty list for "all"
            return {"events": [], "searchedLogStreams": []}
    events, token, searched = group.filter_log_events(
        log_group_name=group_name,
        log_stream_names=names,
        start_time=request.get("startTime", 0),
        end_time=request.get("endTime", 0),
        limit=request.get("limit"),
        next_token=request.get("nextToken"),
        filter_pattern=request.get("filterPattern", ""),
        interleaved=request.get("interleaved", True),
    )
    return {"events": events, "nextToken": token, "searchedLogStreams": searched}


OPERATIONS: dict[str, Handler] = {"FilterLogEvents": filter_log_events}
