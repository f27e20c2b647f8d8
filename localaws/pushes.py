"""What the `docker` and `aws` of a build ask of localaws: the registry's password, and to keep an image."""

import json
from collections.abc import Callable
from pathlib import Path

from localaws import ecr
from localaws.cloud import Cloud
from localaws.errors import AwsError
from localaws.iam.platform import AccessError, Actor, actor_of

PASSWORD = "localaws"  # any password is right; what counts is whether the role may have one


def push(cloud: Cloud, body: bytes) -> dict[str, str]:
    """POST /_localaws/registry {reference, folder, key}: `docker push` by whoever has this access key."""
    wanted = json.loads(body)
    reference = wanted["reference"]
    own = ecr.own(reference)
    actor = _actor(cloud, wanted, own.region if own else "")
    if actor is not None:
        _ask("denied", lambda: actor.push(reference))
    return {"digest": ecr.push(cloud, reference, Path(wanted["folder"]))}


def login(cloud: Cloud, body: bytes) -> dict[str, str]:
    """POST /_localaws/login {key, region}: `aws ecr get-login-password`."""
    wanted = json.loads(body)
    actor = _actor(cloud, wanted, wanted.get("region", ""))
    if actor is not None:
        operation = "An error occurred (AccessDeniedException) when calling the GetAuthorizationToken operation"
        _ask(operation, lambda: actor.require("ecr:GetAuthorizationToken", "*"))
    return {"password": PASSWORD}


def _actor(cloud: Cloud, wanted: dict[str, str], region: str) -> Actor | None:
    return actor_of(cloud, wanted.get("key", ""), region)


def _ask(what: str, ask: Callable[[], None]) -> None:
    try:
        ask()
    except AccessError as error:
        raise AwsError("AccessDeniedException", f"{what}: {error}", status=403) from error
