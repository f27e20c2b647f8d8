"""Stop: jobs end, the endpoint goes, and after a breach the roles that could start it all again are frozen.

What is needed to bring the endpoint back is in the memory before anything is deleted. Every step may be the last one: a
run that dies, or is refused, leaves the phase at `stopping`, and the next check does the same steps again.
"""

from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from . import jobs, scaling
from .endpoints import CHANGING, MISSING, Endpoint, billed_by_the_hour
from .rules import BREACH, ENDPOINT_ONLY, stronger
from .run import Run
from .spend import hourly

STOPPING, STOPPED, STARTING = "stopping", "stopped", "starting"
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"


def stop(run: Run, reason: str, why: str) -> None:
    """Stop the stack; `why` is the sentence that the report begins with."""
    old, problems = run.state["stopped"], len(run.problems)
    reason = stronger(old["reason"], reason) if old else reason
    news = old is None or old["reason"] != reason
    run.state["stopped"] = {
        "reason": reason,
        "since": run.now if old is None or news else old["since"],
        "phase": STOPPING,
        "was": old["phase"] if old else "",
        "endpoint": old["endpoint"] if old else None,
    }
    run.memory.save()
    ending = [] if reason in ENDPOINT_ONLY else _stop_jobs(run)
    run.attempt(f"endpoint {run.facts.prefix}", partial(_remove, run))
    if reason == BREACH:
        _freeze(run, ending)
    if not run.left and len(run.problems) == problems:
        run.state["stopped"]["phase"] = STOPPED
    if news or run.did:
        run.tell(f"stopped ({reason})", _report(run, why))


def _remove(run: Run) -> None:
    """The endpoint: into the memory first, then away."""
    live = run.endpoint()
    if live is None or live.status == "Deleting":
        return
    stopped = run.state["stopped"]
    stopped["endpoint"] = _remember(run, live)
    stopped["saved"] = _saved_an_hour(run, live)
    run.memory.save()
    _delete(run, live)


def _remember(run: Run, live: Endpoint) -> dict[str, Any]:
    """The endpoint as it was. An endpoint half back shows less than the record that it was made of."""
    stopped = run.state["stopped"]
    record: dict[str, Any] | None = stopped["endpoint"]
    if record and record["config"] == live.config and stopped["was"] in (STOPPING, STARTING):
        return record
    resources = [f"endpoint/{live.name}/variant/{variant}" for variant in (*live.counts, *live.provisioned)]
    return {
        "name": live.name,
        "config": live.config,
        "deployment": live.deployment,
        "tags": run.client("sagemaker").list_tags(ResourceArn=live.arn)["Tags"],
        "counts": live.counts,
        "scaling": scaling.record(run.client("application-autoscaling"), resources),
    }


def _saved_an_hour(run: Run, live: Endpoint) -> str:
    """What the endpoint costs no more, for the report."""
    try:
        cost = hourly(billed_by_the_hour(run.client("sagemaker"), live), run.facts.rates)
    except ClientError as error:
        return f"What the endpoint cost is not known: {error}"
    unpriced = f" and what {', '.join(cost.unpriced)} costs, for which there is no price here" if cost.unpriced else ""
    return f"The endpoint costs no more: {cost.usd:.2f} USD an hour{unpriced}."


def _stop_jobs(run: Run) -> list[str]:
    """Stops what runs; returns the jobs that are about to end."""
    sagemaker = run.client("sagemaker")
    ending: list[str] = []
    for kind in jobs.KINDS:

        def act(kind: jobs.Kind = kind) -> None:
            for name in list(jobs.of_stack(sagemaker, run.facts, kind, StatusEquals=jobs.RUNNING)):
                run.attempt(f"{kind.what} {name}", partial(_stop_job, run, kind, name))
                ending.append(name)
            ending.extend(jobs.of_stack(sagemaker, run.facts, kind, StatusEquals="Stopping"))

        run.attempt(f"{kind.what}s", act)
    run.attempt("warm pools", partial(_end_warm_pools, run))
    return ending


def _end_warm_pools(run: Run) -> None:
    """Instances that a job has left waiting for the next one bill like the job."""
    sagemaker = run.client("sagemaker")
    for name, job in (run.state["month"] or {"jobs": {}})["jobs"].items():
        if not job["open"] or job["kind"] != jobs.TRAINING.what:
            continue
        pool = jobs.TRAINING.describe(sagemaker, name).get("WarmPoolStatus", {})
        if pool.get("Status") == "Available":
            sagemaker.update_training_job(TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 0})
            run.did.append(f"ended the warm pool of {name}")


def _stop_job(run: Run, kind: jobs.Kind, name: str) -> None:
    try:
        kind.stop(run.client("sagemaker"), name)
    except ClientError as error:
        # It may have ended since it was listed.
        if error.response["Error"]["Code"] != "ValidationException" or _runs(run, kind, name):
            raise
        return
    run.did.append(f"stopped {kind.what} {name}")


def _runs(run: Run, kind: jobs.Kind, name: str) -> bool:
    return bool(kind.describe(run.client("sagemaker"), name)[f"{kind.noun}Status"] == jobs.RUNNING)


def _delete(run: Run, live: Endpoint) -> None:
    if live.status in CHANGING:
        run.left.append(f"endpoint {live.name} is {live.status}, in which SageMaker deletes none")
        return
    try:
        run.client("sagemaker").delete_endpoint(EndpointName=live.name)
    except ClientError as error:
        if MISSING in error.response["Error"]["Message"]:
            return
        again = run.endpoint()
        if again is not None and again.status in CHANGING:
            run.left.append(f"endpoint {live.name} began to change")
            return
        raise
    run.did.append(f"deleted endpoint {live.name}")


def _freeze(run: Run, ending: list[str]) -> None:
    """Attaches AWSDenyAll to the jobs' roles, once no job needs its role to save a checkpoint."""
    if ending:
        run.left.append(f"the roles are frozen once {len(ending)} job(s) have saved what they have")
        return
    for role in run.facts.roles:
        run.attempt(f"role {role}", partial(_freeze_role, run, role))


def _freeze_role(run: Run, role: str) -> None:
    if not is_frozen(run.client("iam"), role):
        run.client("iam").attach_role_policy(RoleName=role, PolicyArn=DENY_ALL)
        run.did.append(f"froze role {role}")


def is_frozen(iam: Any, role: str) -> bool:
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return any(policy["PolicyArn"] == DENY_ALL for policy in attached)


def frozen_roles(run: Run) -> list[str]:
    return [role for role in run.facts.roles if is_frozen(run.client("iam"), role)]


def _report(run: Run, why: str) -> str:
    done = [f"- {one}" for one in run.did] or ["- nothing of it ran"]
    left = [f"- still to do: {one}" for one in (*run.left, *run.problems)]
    unpriced = (run.state["month"] or {}).get("unpriced", [])
    blind = [f"Not counted, because there is no price for it here: {', '.join(unpriced)}."] if unpriced else []
    saved = [run.state["stopped"]["saved"]] if "saved" in run.state["stopped"] else []
    back = [f"To bring it back: {run.facts.back}"]
    return "\n".join([why, "", *done, *left, "", *saved, *blind, *back])
