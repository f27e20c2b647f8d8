"""Which instance takes a request: a variant drawn by weight, then the fewest requests in flight."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from localaws.sagemaker.instance import Instance


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a request asks for: a variant, a model of a multi-model variant; and the instances it cannot go to."""

    variant: str | None = None
    target: str | None = None
    avoid: Iterable[Instance] = ()


def choose(
    items: Iterable[Instance],
    request: Request,
    *,
    production: Sequence[str],
    weights: Mapping[str, float],
    serverless: Iterable[str],
) -> Instance | None:
    """The instance for a request, or None if none can take it.

    A serverless one takes one request at a time. One that holds the request's model comes before one that does not.
    """
    healthy = [item for item in items if item.healthy and item not in request.avoid]
    healthy = [item for item in healthy if not (item.outstanding and item.server.variant in serverless)]
    variant = request.variant or _draw({item.server.variant for item in healthy} & set(production), weights)
    able = [item for item in healthy if item.server.variant == variant]
    return min(able, key=lambda item: (not _holds(item, request.target), item.outstanding, item.served), default=None)


def _draw(names: set[str], weights: Mapping[str, float]) -> str | None:
    if len(names) < 2:
        return next(iter(names), None)
    ordered = sorted(names)
    shares = [weights[name] for name in ordered]
    return random.choices(ordered, shares)[0] if sum(shares) else ordered[0]


def _holds(item: Instance, target: str | None) -> bool:
    return target is not None and item.models is not None and item.models.holds(target)
