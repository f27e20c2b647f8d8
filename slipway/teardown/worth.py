"""What something that was left costs in a month, by the price book: list prices, a month of 730 hours, no free tier.

A thing is priced as it is now: an endpoint with the instances it has, a bucket with the bytes it holds, a job as if it
ran on. What is free says why; what has no price says so, and counts as unknown, never as zero.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from botocore.exceptions import ClientError

from slipway.leaks import AT_ONCE, Leftover
from slipway.prices.book import HOURS_PER_MONTH, PriceMissing
from slipway.project import Stack
from slipway.teardown import instances, sizes
from slipway.teardown.arns import is_gone
from slipway.teardown.rates import rate

ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Worth:
    """USD a month, None where no price is known; and how the figure came about."""

    usd_month: Decimal | None
    reason: str


def free(reason: str) -> Callable[[Stack, str], tuple[Decimal, str]]:
    return lambda stack, name: (ZERO, reason)


def fixed(key: str, times: int = 1) -> Callable[[Stack, str], tuple[Decimal, str]]:
    """So many units a month of one key of the book."""

    def price(stack: Stack, name: str) -> tuple[Decimal, str]:
        found = rate(stack, key)
        return found.usd * times, f"USD {found.usd} a {found.unit}"

    return price


IAM = free("IAM bills nothing")
PRICED: dict[str, Callable[[Stack, str], tuple[Decimal, str]]] = {
    "endpoint": instances.endpoint,
    "training job": instances.training_job,
    "transform job": instances.transform_job,
    "processing job": instances.processing_job,
    "tuning job": free("its training jobs bill; they are listed apart"),
    "nat gateway": fixed("EC2:NatGateway", HOURS_PER_MONTH),
    "elastic ip": fixed("EC2:PublicIPv4", HOURS_PER_MONTH),
    "vpc endpoint": sizes.vpc_endpoint,
    "scalable target": free("Application Auto Scaling bills nothing"),
    "dashboard": fixed("CloudWatch:Dashboard"),
    "encryption key": fixed("KMS:Key"),
    "key alias": free("an alias bills nothing, its key does"),
    "secret": fixed("SecretsManager:Secret"),
    "alarm": sizes.alarm,
    "trail": free("a trail bills by the event that it records; nothing while nobody touches what it watches"),
    "schedule": sizes.schedule,
    "schedule group": free("its schedules bill by their invocations"),
    "event rule": free("AWS's own events are free, and so are rules"),
    "function": free("a function bills by its invocations"),
    "budget": free("a budget without actions bills nothing"),
    "endpoint configuration": free("a configuration bills nothing"),
    "model": free("a model bills nothing, its artifact in S3 does"),
    "bucket": sizes.bucket,
    "image repository": sizes.repository,
    "build project": free("a project bills by the minutes of its builds"),
    "log group": sizes.log_group,
    "subscription": free("a subscription bills by what it delivers"),
    "topic": free("a topic bills by what is published"),
    "network interface": free("a private network interface bills nothing"),
    "security group": free("a security group bills nothing"),
    "route table": free("a route table bills nothing"),
    "subnet": free("a subnet bills nothing"),
    "vpc": free("a VPC bills nothing, its endpoints and gateways do"),
    "role": IAM,
    "managed policy": IAM,
    "identity provider": IAM,
}


def worth(stack: Stack, leftover: Leftover) -> Worth:
    """What this one costs in a month."""
    price = PRICED.get(leftover.kind)
    if price is None:
        return Worth(usd_month=None, reason=f"no price known for {leftover.kind}")
    try:
        usd, reason = price(stack, leftover.name)
    except PriceMissing as missing:
        return Worth(usd_month=None, reason=str(missing))
    except ClientError as error:
        if is_gone(error):
            return Worth(usd_month=ZERO, reason="gone meanwhile")
        return Worth(usd_month=None, reason=f"no price known: {error.response['Error']['Message']}")
    return Worth(usd_month=usd, reason=reason)


def worths(stack: Stack, leftovers: Sequence[Leftover]) -> list[Worth]:
    """What each costs, in the same order."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="price") as pool:
        return list(pool.map(lambda one: worth(stack, one), leftovers))


def total(priced: Sequence[Worth]) -> tuple[Decimal, int]:
    """(USD a month of what has a price, how many have none)."""
    known = [one.usd_month for one in priced if one.usd_month is not None]
    return sum(known, ZERO), len(priced) - len(known)


def usd(amount: Decimal) -> str:
    """As people read it: cents, and more digits only where cents would show nothing of it."""
    if 0 < amount < Decimal("0.005"):
        return f"{amount:.2g}" if amount >= Decimal("0.0001") else "less than 0.0001"
    return f"{amount:,.2f}"


def in_words(priced: Sequence[Worth]) -> str:
    """USD 12.30/month (USD 0.0168 an hour), 1 without a known price."""
    known, unknown = total(priced)
    words = f"USD {usd(known)}/month (USD {usd(known / HOURS_PER_MONTH)} an hour)"
    return words + (f", {unknown} without a known price" if unknown else "")
