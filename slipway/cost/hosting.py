"""What an endpoint costs a month: instances while they exist, busy or not; serverless seconds; volumes; payloads."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from slipway.cost.amounts import Span
from slipway.cost.asking import GIB, Asking, words
from slipway.cost.bounds import bounds_of
from slipway.cost.instances import DEFAULT_HOSTING_VOLUME_GB, has_local_disk
from slipway.cost.lines import Line
from slipway.cost.planned import Resource
from slipway.prices.book import HOURS_PER_MONTH, SECONDS_PER_HOUR

CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
POLICY = "aws:appautoscaling/policy:Policy"
MINUTES_PER_HOUR = 60
MS_PER_SECOND = 1000
CAPTURED_BYTES_FACTOR = Decimal("1.4")  # a captured request lies in JSON lines, binary ones as base64

Variant = Mapping[str, Any]


def endpoint(served: Resource, asking: Asking) -> Iterable[Line]:
    """All variants of the configuration that the endpoint moves to, shadow variants too, and what passes through."""
    configuration = _configuration(served, asking)
    if configuration is None:
        return
    for variant in configuration.get("productionVariants", default=[]):
        if variant.get("serverlessConfig"):
            yield from _serverless(served, variant, asking)
        else:
            yield from _instances(served, variant, asking, _likely(variant, configuration, asking))
    for variant in configuration.get("shadowProductionVariants", default=[]):
        yield from _instances(served, variant, asking, None)
    yield from _payloads(served, configuration, asking)


def _configuration(served: Resource, asking: Asking) -> Resource | None:
    name = served.get("endpointConfigName")
    found = asking.plan.of(CONFIGURATION)
    return next((one for one in found if name and one.get("name") == name), found[0] if found else None)


def _instances(
    served: Resource, variant: Variant, asking: Asking, likely: tuple[Decimal, str] | None
) -> Iterator[Line]:
    kind, name = str(variant.get("instanceType")), str(variant.get("variantName", ""))
    first = Decimal(variant.get("initialInstanceCount") or 1)
    bounds = bounds_of(name, asking.plan, first)
    expected, why = likely or (bounds.least.expected, "")
    count = Span(
        low=bounds.least.low,
        expected=min(max(expected, bounds.least.expected), bounds.most.expected) * bounds.on.expected,
        worst=bounds.most.worst,
    )
    hours = Span(low=count.low * bounds.on.low, expected=count.expected, worst=count.worst) * asking.usage.hours
    measured = asking.usage.instance_hours.get(name)
    if measured is not None:
        hours = Span(low=min(hours.low, measured), expected=measured, worst=max(hours.worst, measured))
        why = "measured"
    shadow = "shadow, " if likely is None else ""
    assumption = "; ".join(part for part in (bounds.words, why) if part)
    lower = "slipway:serving.shadow" if likely is None else bounds.lower
    yield asking.line(served, f"{shadow}{kind} ({name})", f"Hosting:{kind}", hours, assumption, lower)
    if not has_local_disk(kind):
        asked = variant.get("volumeSizeInGb")
        size = Decimal(asked or DEFAULT_HOSTING_VOLUME_GB)
        yield asking.line(
            served,
            f"{shadow}volumes of {size} GB ({name})",
            "Volume:Hosting",
            hours * size / HOURS_PER_MONTH,
            "one an instance" + ("" if asked else f"; no size is asked for: {size} GB assumed"),
            "slipway:serving.volume_gb",
        )


def _likely(variant: Variant, configuration: Resource, asking: Asking) -> tuple[Decimal, str]:
    """How many instances the expected traffic takes, by what scaling holds; its bounds are applied by the caller."""
    usage = asking.usage
    requests, seconds = usage.requests_a_month.expected, usage.ms_a_request.expected / MS_PER_SECOND
    if configuration.get("asyncInferenceConfig"):
        path = ("asyncInferenceConfig", "clientConfig", "maxConcurrentInvocationsPerInstance")
        at_once = Decimal(configuration.get(*path, default=1))
        busy = requests * seconds / at_once / (usage.hours * SECONDS_PER_HOUR)
        return busy, f"busy with {asking.assumed('requests_a_month')} of {words(usage.ms_a_request)} ms"
    target = _target(variant, asking)
    if not target:
        return Decimal(0), "no scaling by traffic"
    a_minute = requests / (usage.hours * MINUTES_PER_HOUR)
    needed = (a_minute / target).to_integral_value(ROUND_CEILING)
    return needed, f"traffic needs {needed}: {a_minute:.1f} requests a minute at {target} an instance"


def _target(variant: Variant, asking: Asking) -> Decimal:
    """Requests a minute and instance that target tracking holds; 0 where something else decides."""
    path = "targetTrackingScalingPolicyConfiguration"
    for policy in asking.plan.of(POLICY):
        metric = policy.get(path, "predefinedMetricSpecification", "predefinedMetricType")
        mine = str(policy.get("resourceId", default="")).endswith(f"/variant/{variant.get('variantName')}")
        if mine and metric == "SageMakerVariantInvocationsPerInstance":
            return Decimal(str(policy.get(path, "targetValue", default=0)))
    return Decimal(0)


def _serverless(served: Resource, variant: Variant, asking: Asking) -> Iterator[Line]:
    settings, usage = variant["serverlessConfig"], asking.usage
    memory, name = int(settings.get("memorySizeInMb", 0)), str(variant.get("variantName", ""))
    most, first = Decimal(settings.get("maxConcurrency", 1)), Decimal(settings.get("provisionedConcurrency") or 0)
    seconds = usage.requests_a_month * usage.ms_a_request / MS_PER_SECOND
    bound = most * usage.hours * SECONDS_PER_HOUR
    if not {"requests_a_month", "ms_a_request"} <= usage.stated:
        seconds = Span(low=seconds.low, expected=min(seconds.expected, bound), worst=bound)
    words_ = (
        f"{asking.assumed('requests_a_month')} of {words(usage.ms_a_request)} ms; worst: {most} at a time all month"
    )
    lower = "slipway:serving.serverless.max_concurrency, .memory_mb"
    if not first:
        yield asking.line(served, f"serverless, {memory} MB ({name})", f"Serverless:{memory}", seconds, words_, lower)
    else:
        bounds = bounds_of(name, asking.plan, first)
        beyond = Span.of(0, 0, max(seconds.worst * (most - first) / most, Decimal(0)))
        for key, what, part in (
            ("ServerlessProvisionedInference", "on workers kept warm", seconds),
            ("Serverless", "beyond the workers kept warm", beyond),
        ):
            yield asking.line(served, f"serverless, {memory} MB, {what}", f"{key}:{memory}", part, words_, lower)
        warm = Span(low=bounds.least.low, expected=bounds.least.expected, worst=bounds.most.worst)
        yield asking.line(
            served,
            f"workers kept warm ({name})",
            f"ServerlessProvisioned:{memory}",
            warm * usage.hours * SECONDS_PER_HOUR,
            bounds.words,
            "slipway:serving.serverless.provisioned_concurrency",
        )


def _payloads(served: Resource, configuration: Resource, asking: Asking) -> Iterator[Line]:
    usage = asking.usage
    for way, size in (("In", "request_bytes"), ("Out", "answer_bytes")):
        gigabytes = usage.requests_a_month * getattr(usage, size) / GIB
        why = f"{asking.assumed('requests_a_month')}; {asking.assumed(size)}"
        yield asking.line(served, f"payloads {way.lower()}", f"Data:{way}", gigabytes, why, "smaller payloads")
    if configuration.get("dataCaptureConfig", "enableCapture"):
        share = Decimal(configuration.get("dataCaptureConfig", "initialSamplingPercentage", default=100)) / 100
        caught = usage.requests_a_month * (usage.request_bytes + usage.answer_bytes) * (share * CAPTURED_BYTES_FACTOR)
        yield asking.line(
            served,
            "captured requests in S3",
            "S3:Storage",
            caught / GIB / 2 * usage.months,
            "of the first month, half of it on average; they stay until you delete them",
            "slipway:serving.capture.percent",
        )
