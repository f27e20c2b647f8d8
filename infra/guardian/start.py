"""Start: the endpoint again as it was remembered, then its scaling once it is in service.

The record is forgotten when all of it is back, or when there is an endpoint that it does not describe: then somebody
has made one since (`pulumi up --refresh`), and an older configuration must not come back over it.
"""

from decimal import Decimal

from botocore.exceptions import ClientError

from . import scaling
from .endpoints import CHANGING, MISSING, Endpoint
from .events import OFFICE_HOURS
from .memory import State
from .rules import MORNING, end_of, is_expired, utc
from .run import Run
from .spend import limit, month_of, spent
from .stop import STARTING, frozen_roles


def start(run: Run) -> None:
    """Bring the stack back; what keeps it stopped is in `refused`."""
    if run.asked.resume:
        _lift(run)
    stopped = run.state["stopped"]
    if run.refused or stopped is None:
        return
    if run.asked.reason == OFFICE_HOURS and stopped["reason"] not in MORNING:
        run.refused = f"it was stopped for another reason than the hour ({stopped['reason']}), and stays so"
        return
    run.refused = _obstacle(run)
    if not run.refused:
        advance(run, by_hand=run.asked.reason != OFFICE_HOURS)


def breached_usd(state: State, now: float) -> Decimal:
    """What is spent this month: the function's own account, or AWS's at the breach where that was more."""
    breach = state["breach"]
    at_breach = Decimal(breach["spent_usd"]) if breach and breach["month"] == month_of(now) else Decimal(0)
    return max(spent(state, now), at_breach)


def _lift(run: Run) -> None:
    """Ends a breach, when what is spent is below the limit that holds from now on."""
    if run.asked.limit_usd:
        run.state["raised"] = {"month": month_of(run.now), "usd": run.asked.limit_usd}
    if not run.state["breach"]:
        return
    usd, now_limit = breached_usd(run.state, run.now), limit(run.facts, run.state, run.now)
    if now_limit is not None and usd >= now_limit:
        run.refused = (
            f"{usd:.2f} USD are spent this month and the limit is {now_limit:.2f} USD, so the next check would stop it "
            f"again. Give this month more: {run.facts.back} --budget USD (or --anyway, for no limit until its end); "
            "or raise slipway:spending.budget_usd and run `pulumi up`; or wait for the next month"
        )
        return
    run.state["breach"] = None
    run.memory.save()
    run.did.append("lifted the breach")


def _obstacle(run: Run) -> str:
    if run.state["breach"]:
        return f"the month's budget is used up since {utc(run.state['breach']['since'])}; lift that: {run.facts.back}"
    if is_expired(run.facts, run.state, run.now):
        end = end_of(run.facts, run.state) or run.now
        return f"its time was over at {utc(end)}; give it more: slipway extend 8h --stack {run.facts.stack}"
    frozen = frozen_roles(run)
    return f"roles are frozen ({', '.join(frozen)}); a person lifts that: {run.facts.back}" if frozen else ""


def advance(run: Run, *, by_hand: bool = False) -> None:
    """The next step of a start; the checks do what is left."""
    stopped, live = run.state["stopped"], run.endpoint()
    record = stopped["endpoint"]
    if record is None or _is_another(live, record["config"]):
        _forget(run, "nothing was to be brought back" if record is None else "there is another endpoint already")
        return
    stopped["phase"] = STARTING
    run.memory.save()
    if live is None:
        _create(run)
    elif live.status in (*CHANGING, "Deleting"):
        run.left.append(f"endpoint {live.name} is {live.status}")
    elif live.status == "Failed":
        _failed(run, live, by_hand=by_hand)
    else:
        for one in record["scaling"]:
            services = run.client("application-autoscaling"), run.client("cloudwatch")
            scaling.put_back(*services, run.facts.prefix, one, run.now)
        _forget(run, f"endpoint {live.name} is in service with configuration {live.config}")
        run.tell("started", f"The endpoint is back, as it was. It had been stopped: {stopped['reason']}.")


def _is_another(live: Endpoint | None, config: str) -> bool:
    return live is not None and live.status != "Deleting" and live.config != config


def forget_if_made_anew(run: Run) -> None:
    """After a stop that had ended: an endpoint that is there now was made by somebody, who knows better."""
    live = run.endpoint()
    if live is not None and live.status != "Deleting":
        _forget(run, f"somebody has made endpoint {live.name} again")


def _forget(run: Run, words: str) -> None:
    run.state["stopped"] = None
    run.memory.save()
    run.did.append(words)


def _create(run: Run) -> None:
    record = run.state["stopped"]["endpoint"]
    deployment = {"DeploymentConfig": record["deployment"]} if record["deployment"] else {}
    tags = {"Tags": record["tags"]} if record["tags"] else {}
    try:
        run.client("sagemaker").create_endpoint(
            EndpointName=record["name"], EndpointConfigName=record["config"], **deployment, **tags
        )
    except ClientError as error:
        if MISSING not in error.response["Error"]["Message"]:
            raise
        run.refused = (
            f"configuration {record['config']} is gone, with which endpoint {record['name']} ran; make it anew: "
            f"pulumi up --refresh --stack {run.facts.stack}"
        )
        return
    run.did.append(f"made endpoint {record['name']} with configuration {record['config']}")
    run.left.append(f"endpoint {record['name']} starts; its scaling is registered once it is in service")


def _failed(run: Run, live: Endpoint, *, by_hand: bool) -> None:
    """A start that failed is told once; the next start by hand makes room for another attempt."""
    record = run.state["stopped"]["endpoint"]
    if by_hand:
        run.client("sagemaker").delete_endpoint(EndpointName=live.name)
        record.pop("failed", None)
        run.left.append(f"endpoint {live.name} had failed and is removed first: {live.reason}")
    elif not record.get("failed"):
        record["failed"] = live.reason
        run.tell("could not be started", f"Endpoint {live.name} failed: {live.reason}\nTry again: {run.facts.back}")
    run.left += [] if by_hand else [f"endpoint {live.name} failed: {live.reason}"]
