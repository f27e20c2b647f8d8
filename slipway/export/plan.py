"""The options of `slipway export kubernetes`, read and checked together: every problem is told at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from slipway.errors import USAGE, SlipwayError
from slipway.export import rules
from slipway.export.source import Source, source

DRAIN_SECONDS = 30  # the server's own default: inference/settings.py
MOST_PODS = 1000
REQUIRED = ("image", "model", "cpu", "memory")
"""Options that a stack answers, or the user."""
DEFAULTS = {
    "name": "slipway",
    "namespace": "default",
    "min": "1",
    "max": "4",
    "gpu": "0",
    "arch": "amd64",
    "user": "1000",
    "scale-on": "both",
    "queue-target": "16",
    "monitor": "annotations",
}
READERS: dict[str, Callable[[str], Any]] = {
    "name": rules.matching(rules.NAME, "1 to 63 of a-z, 0-9 and '-', a letter first, no '-' last"),
    "namespace": rules.matching(rules.LABEL, "1 to 63 of a-z, 0-9 and '-', no '-' first or last"),
    "image": rules.matching(rules.IMAGE, "REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST", most=4096),
    "model": source,
    "replicas": rules.optional(rules.whole(1, MOST_PODS, "pods")),
    "min": rules.whole(1, MOST_PODS, "pods"),
    "max": rules.whole(1, MOST_PODS, "pods"),
    "cpu": rules.cpu,
    "memory": rules.memory,
    "gpu": rules.whole(0, 16, "GPUs of a pod"),
    "arch": rules.one_of("amd64", "arm64", "any"),
    "user": rules.whole(0, 2**31 - 1, "a user id, 0 for root"),
    "scale-on": rules.one_of("queue", "cpu", "both"),
    "queue-target": rules.whole(1, 100_000, "instances that wait in a pod"),
    "monitor": rules.one_of("annotations", "pod-monitor", "service-monitor", "none"),
    "service-account-role": rules.optional(rules.matching(rules.ROLE, "arn:aws:iam::ACCOUNT:role/NAME", most=600)),
    "fetch-image": rules.optional(rules.matching(rules.IMAGE, "REGISTRY/NAME:TAG", most=4096)),
    "env-secret": rules.optional(rules.matching(rules.SUBDOMAIN, "the name of a Secret in the namespace")),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be written. `fewest` and `most` are pods; `drain_seconds` is of the server."""

    name: str
    namespace: str
    image: str
    model: Source
    replicas: int | None
    fewest: int
    most: int
    cpu: str
    memory: str
    gpus: int
    arch: str
    user: int
    scale_on: str
    queue_target: int
    monitor: str
    role: str | None = None
    fetch_image: str | None = None
    env_secret: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    region: str = ""
    """Of the model's bucket, where a stack tells it."""

    @property
    def scales(self) -> bool:
        return self.fewest < self.most

    @property
    def drain_seconds(self) -> int:
        return int(self.environment.get(rules.DRAIN, DRAIN_SECONDS))


def read_plan(given: Mapping[str, str], environment: Sequence[str], region: str = "", unknown: str = "") -> Plan:
    """The plan that `given` (option -> text, empty where it was not given) describes.

    `unknown` is why the required ones are not known otherwise. Raises SlipwayError that lists every problem.
    """
    texts = DEFAULTS | {option: text for option, text in given.items() if text}
    missing = [f"--{option}" for option in REQUIRED if not texts.get(option)]
    problems = [f"not given: {', '.join(missing)}{unknown and f'; {unknown}'}"] if missing else []
    values = {
        option: _read(f"--{option}", texts.get(option, ""), reader, problems)
        for option, reader in READERS.items()
        if f"--{option}" not in missing
    }
    variables = [_read("--env", text, rules.variable, problems) for text in environment]
    problems += _count_problems(values)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise SlipwayError(f"{len(problems)} of the options cannot be used:\n{listed}", USAGE)
    return _plan(values, dict(variables), region)


def _read(option: str, text: str, reader: Callable[[str], Any], problems: list[str]) -> Any:
    try:
        return reader(text)
    except ValueError as error:
        problems.append(f"{option} is {_shown(option, text)!r}; allowed: {error}")
        return None


def _shown(option: str, text: str) -> str:
    """What may be repeated: neither the value of a variable nor the signature of a URL."""
    if option == "--env":
        return text.partition("=")[0]
    return text.partition("?")[0] if option == "--model" else text


def _count_problems(values: Mapping[str, Any]) -> list[str]:
    """min <= replicas <= max, of those that are numbers at all."""
    order = ("min", "replicas", "max")
    counts = [(name, values[name]) for name in order if isinstance(values.get(name), int)]
    return [
        f"--{name} is {count}, --{next_name} is {next_count}; allowed: min <= replicas <= max"
        for (name, count), (next_name, next_count) in pairwise(counts)
        if count > next_count
    ]


def _plan(values: Mapping[str, Any], environment: dict[str, str], region: str) -> Plan:
    renamed = {
        "min": "fewest",
        "max": "most",
        "gpu": "gpus",
        "service-account-role": "role",
    }
    fields = {renamed.get(option, option.replace("-", "_")): value for option, value in values.items()}
    return Plan(**fields, environment=environment, region=region)
