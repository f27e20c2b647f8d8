"""Whether the account's quotas let the plan start, and grow as far as it may.

Each quota by its code: the applied value (GetServiceQuota; a default says nothing about this account), what others use
of it now, and what the plan needs. Too few to start with is a problem; too few for scaling's maximum, for both fleets
of a blue/green move or for a rung of the capacity ladder is a warning, since the change itself may succeed.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from slipway.preflight.finding import Finding, UnknownError, asking, unknown
from slipway.preflight.machines import Wanted, doubles, serverless_concurrency, wanted
from slipway.preflight.plan import TRAINING, Plan
from slipway.preflight.quota_book import SERVICE, Quota, QuotaBook, load
from slipway.preflight.usage import AT_ONCE, Usage, running
from slipway.project import Stack

CHECK = "quota"
TOTALS = {
    "Training": "Number of instances across all training jobs",
    "SpotTraining": "Number of instances across all spot training jobs",
    "Hosting": "Number of instances across active endpoints",
}
OF_ONE = {
    "Training": "Maximum number of instances per training job",
    "SpotTraining": "Maximum number of instances per spot training job",
    "Hosting": "Maximum number of instances per endpoint",
}
LONGEST_RUN = "Longest run time for a training job"
SERVERLESS = "Maximum total concurrency that can be allocated across all serverless endpoints"


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one quota must hold: `used` by others, `least` to start, `most` if the plan grows as far as it may."""

    quota: Quota
    used: int
    least: int
    most: int
    what: str
    optional: bool = False
    why_most: str = "as scaling may start"


def check(stack: Stack, plan: Plan) -> list[Finding]:
    """One finding a quota that the plan meets."""
    found = wanted(plan)
    if not found and not serverless_concurrency(plan):
        return [Finding(check=CHECK, level="ok", found="nothing that has a quota would start")]
    used, judged = Usage(), []
    try:
        with asking("what else runs, so nothing is assumed", "sagemaker:ListTrainingJobs, ListEndpoints, Describe..."):
            used = running(stack)
    except UnknownError as error:
        judged.append(unknown(CHECK, error))
    book = load()
    needs = list(_needs(plan, found, used, book))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="quota") as pool:
        judged += pool.map(lambda need: _judge(stack, need), needs)
    return [*dict.fromkeys(judged), *_not_in_the_book(stack, found, book)]


def _needs(plan: Plan, found: list[Wanted], used: Usage, book: QuotaBook) -> Iterator[Need]:
    both = doubles(plan)
    for one in found:
        if quota := book.types.get((one.use, one.type)):
            yield _of_type(one, quota, used, both)
    for use, name in TOTALS.items():
        own = [one for one in found if one.use == use and not one.fallback]
        if own:
            least, most = sum(one.least for one in own), sum(one.most for one in own)
            what = " and ".join(one.what for one in own)
            running_now = used.of(use)
            yield Need(quota=book.account[name], used=running_now, least=least, most=most, what=what)
            largest = Need(quota=book.account[OF_ONE[use]], used=0, least=least, most=most, what=what)
            yield largest
    for job in plan.changing(TRAINING):
        if seconds := job.get("stoppingCondition", "maxRuntimeInSeconds"):
            limit = int(seconds)
            yield Need(quota=book.account[LONGEST_RUN], used=0, least=limit, most=limit, what="the run's time limit")
    if concurrency := serverless_concurrency(plan):
        quota, others = book.account[SERVERLESS], used.serverless
        yield Need(quota=quota, used=others, least=concurrency, most=concurrency, what="the serverless endpoint")


def _of_type(one: Wanted, quota: Quota, used: Usage, both: bool) -> Need:
    most, why = one.most, "as scaling may start"
    if one.use == "Hosting" and both:
        fleets = used.own["Hosting", one.type] + one.least
        most, why = max(most, fleets), "while the old fleet runs beside the new one" if fleets > most else why
    others = used.of(one.use, one.type)
    return Need(
        quota=quota, used=others, least=one.least, most=most, what=one.what, optional=one.fallback, why_most=why
    )


def _judge(stack: Stack, need: Need) -> Finding:
    try:
        with asking("what the account may have", "servicequotas:GetServiceQuota"):
            value = _applied(stack, need.quota)
    except UnknownError as error:
        return unknown(CHECK, error)
    unit, name = need.quota.unit.lower(), f"'{need.quota.name}' ({need.quota.code})"
    found = f"{name} is {value:g} {unit}" + (f", {need.used} in use" if need.used else "")
    if value >= need.used + need.most:
        return Finding(check=CHECK, level="ok", found=found, needed=f"{need.most} for {need.what}")
    short = value < need.used + need.least
    enough = need.used + need.most
    needed = f"{need.least} for {need.what}" + (
        "" if short and need.least == need.most else f", {need.most} {need.why_most}"
    )
    return Finding(
        check=CHECK,
        level="problem" if short and not need.optional else "warning",
        found=found + _asked_already(stack, need.quota),
        needed=needed,
        mend=increase(stack, need.quota.code, enough),
    )


def _applied(stack: Stack, quota: Quota) -> float:
    found = stack.client("service-quotas").get_service_quota(ServiceCode=SERVICE, QuotaCode=quota.code)
    return float(found["Quota"]["Value"])


def _asked_already(stack: Stack, quota: Quota) -> str:
    """That somebody has asked for more and AWS has not answered yet."""
    client = stack.client("service-quotas")
    try:
        history = client.list_requested_service_quota_change_history_by_quota(
            ServiceCode=SERVICE, QuotaCode=quota.code
        )["RequestedQuotas"]
    except (BotoCoreError, ClientError):
        return ""
    waiting: list[Any] = [one for one in history if one.get("Status") in ("PENDING", "CASE_OPENED")]
    return "".join(f"; {one['DesiredValue']:g} asked for, {one['Status']}" for one in waiting[:1])


def increase(stack: Stack, code: str, value: int) -> str:
    """The command that asks AWS for more."""
    return (
        f"aws service-quotas request-service-quota-increase --service-code {SERVICE} --quota-code {code} "
        f"--desired-value {value} --region {stack.region}"
    )


def _not_in_the_book(stack: Stack, found: list[Wanted], book: QuotaBook) -> Iterator[Finding]:
    for one in found:
        if (one.use, one.type) not in book.types:
            name = book.names[one.use].format(type=one.type)
            yield Finding(
                check=CHECK,
                level="warning",
                found=f"cannot tell: quotas.json has no code of '{name}'",
                needed=f"{one.most} for {one.what}",
                mend=f"aws service-quotas list-service-quotas --service-code {SERVICE} --region {stack.region} "
                f"--query \"Quotas[?QuotaName=='{name}']\"",
            )
