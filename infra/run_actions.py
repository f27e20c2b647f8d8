"""Runs by API: wait for one, find the best of a tuning job, register what passed, find what is approved."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.capacity import NoCapacity, reason_of
from infra.waiting import ActionFailed, Client, Say, log_tail, poll

ENDED = ("Completed", "Failed", "Stopped")
RUN_LOGS = "/aws/sagemaker/TrainingJobs"
CONTENT_TYPES = ["application/json", "application/x-npy", "text/csv", "image/png", "image/jpeg"]
ANSWER_TYPES = ["application/json", "application/x-npy", "text/csv"]
NOT_YET = "(known once it has been trained)"
NO_ARTIFACT_YET = "s3://known-once-it-has-been-trained/model.tar.gz"  # the provider checks the form in a preview too


def wait_for_run(client: Client, job: str, say: Say) -> str:
    """The artifact's S3 URI of training job `job`, once it has completed; raises ActionFailed otherwise.

    NoCapacity, which is one, when AWS had no free instances for it.
    """
    sagemaker = client("sagemaker")
    shown: list[str] = []

    def look() -> dict[str, Any]:
        found: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=job)
        if found["SecondaryStatus"] not in shown[-1:]:
            shown.append(found["SecondaryStatus"])
            say(f"run {job}: {shown[-1]}")
        return found

    run = poll(look, lambda found: found["TrainingJobStatus"] in ENDED)
    if run["TrainingJobStatus"] != "Completed":
        if shortage := reason_of(run):
            raise NoCapacity(job, shortage)
        reason = run.get("FailureReason") or run["SecondaryStatus"]
        raise ActionFailed(
            f"run {job} {run['TrainingJobStatus'].lower()}: {reason}\n"
            f"The endpoint was not touched. The end of the run's log:\n"
            f"{log_tail(client, RUN_LOGS, job + '/')}\n"
            f"All of it: slipway logs --run {job}\n"
            "After a change to code, data or settings `pulumi up` starts a new run; "
            "to run the same again: slipway train --again"
        )
    artifact: str = run["ModelArtifacts"]["S3ModelArtifacts"]
    return artifact


def best_of_tuning(client: Client, job: str, say: Say, wait: bool) -> tuple[str, str]:
    """(run, artifact) of the tuning job's best training job; see Actions.tuned_model."""
    sagemaker = client("sagemaker")
    shown: list[str] = []

    def look() -> dict[str, Any]:
        found: dict[str, Any] = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=job)
        if (line := _tuning_line(job, found)) not in shown[-1:]:
            shown.append(line)
            say(line)
        return found

    try:
        tuning = poll(look, lambda found: not wait or found["HyperParameterTuningJobStatus"] in ENDED)
    except ClientError as error:
        if wait or error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        return NOT_YET, NO_ARTIFACT_YET
    best = tuning.get("BestTrainingJob", {}).get("TrainingJobName")
    if not wait and not best:
        return NOT_YET, NO_ARTIFACT_YET
    if not best or (wait and tuning["HyperParameterTuningJobStatus"] != "Completed"):
        raise ActionFailed(
            f"tuning job {job} {tuning['HyperParameterTuningJobStatus'].lower()}: "
            f"{tuning.get('FailureReason', 'no training job passed the gate')}\n"
            f"{_tuning_line(job, tuning)}\nThe endpoint was not touched. What each was: slipway runs"
        )
    found = sagemaker.describe_training_job(TrainingJobName=best)
    return best, found["ModelArtifacts"]["S3ModelArtifacts"]


def _tuning_line(job: str, tuning: dict[str, Any]) -> str:
    counts = tuning["TrainingJobStatusCounters"]
    failed = counts.get("RetryableError", 0) + counts.get("NonRetryableError", 0)
    best = tuning.get("BestTrainingJob", {}).get("FinalHyperParameterTuningJobObjectiveMetric")
    score = f", best {best['MetricName']} {best['Value']:.4g}" if best else ""
    done, running = counts.get("Completed", 0), counts.get("InProgress", 0)
    return f"tuning {job}: {done} done, {running} running, {failed} failed{score}"


def register(client: Client, group: str, run: str, image: str, approve: bool) -> str:
    """The ARN of the run's model package, made unless the group has it already."""
    sagemaker = client("sagemaker")
    for summary in packages(sagemaker, group):
        found = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
        if found.get("CustomerMetadataProperties", {}).get("run") == run:
            arn: str = found["ModelPackageArn"]
            return arn
    job = sagemaker.describe_training_job(TrainingJobName=run)
    metrics = {
        metric["MetricName"].replace(":", "_"): f"{metric['Value']:.6g}"
        for metric in job.get("FinalMetricDataList", [])
    }
    created = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=f"run {run}",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}],
            "SupportedContentTypes": CONTENT_TYPES,
            "SupportedResponseMIMETypes": ANSWER_TYPES,
        },
        ModelApprovalStatus="Approved" if approve else "PendingManualApproval",
        CustomerMetadataProperties={"run": run, **metrics},
    )
    return str(created["ModelPackageArn"])


def packages(sagemaker: Any, group: str, **wanted: str) -> list[dict[str, Any]]:
    """Summaries of the group's packages, newest first."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", **wanted
    )
    return [summary for page in pages for summary in page["ModelPackageSummaryList"]]


def awaits_first_approval(client: Client, prefix: str) -> bool:
    """Whether stack `prefix` has neither an endpoint nor an approved run; see Actions.awaits_first_approval."""
    sagemaker = client("sagemaker")
    try:
        pages = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=f"{prefix}-models-")
        groups = [group["ModelPackageGroupName"] for page in pages for group in page["ModelPackageGroupSummaryList"]]
        own = [group for group in groups if group.startswith(f"{prefix}-models-")]
        if any(packages(sagemaker, group, ModelApprovalStatus="Approved") for group in own):
            return False
        sagemaker.describe_endpoint(EndpointName=prefix)
    except ClientError as error:
        return "Could not find endpoint" in str(error)
    except BotoCoreError:
        pass  # no keys, no network: the provider says so better
    return False


def approved_artifact(client: Client, group: str, wait: bool) -> str:
    """The artifact of the newest approved package; see Actions.approved_model."""
    if artifact := baseline_artifact(client, group, wait):
        return artifact
    if not wait:
        return NO_ARTIFACT_YET
    runs = [summary.get("ModelPackageDescription", "") for summary in packages(client("sagemaker"), group)]
    raise ActionFailed(
        f"slipway:model is registry:approved, but no run in {group} is approved. Registered: "
        f"{', '.join(runs) or 'none'}\nThe endpoint was not touched. Approve one: slipway promote RUN"
    )


def baseline_artifact(client: Client, group: str, wait: bool) -> str:
    """The same, but empty where no package is approved; with `wait` false, as in a preview, the group may not exist."""
    sagemaker = client("sagemaker")
    try:
        approved = packages(sagemaker, group, ModelApprovalStatus="Approved")
    except ClientError:
        if wait:
            raise
        return ""  # a preview of a stack that does not exist yet
    if not approved:
        return ""
    found = sagemaker.describe_model_package(ModelPackageName=approved[0]["ModelPackageArn"])
    artifact: str = found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    return artifact
