"""What a run has left beside its artifact: metrics.json, report.html and its pictures, in output.tar.gz in S3."""

import io
import json
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.runs import Run

METRICS_FILE = "metrics.json"
SAVED = (".html", ".png", ".json")

Document = dict[str, Any]


def read_metrics(stack: Stack, run: Run) -> Document:
    """The run's metrics.json. Raises SlipwayError that says why there is none and what to do."""
    content = files(stack, run)
    if METRICS_FILE in content:
        document: Document = json.loads(content[METRICS_FILE])
        return document
    if run.going:
        raise SlipwayError(f"run {run.name} is still going; {METRICS_FILE} comes at its end. Until then: slipway plot")
    if run.status != "Completed" and not content:
        raise SlipwayError(
            f"run {run.name} is {run.status} and left no {METRICS_FILE}: {run.reason or 'it did not come to its end'}. "
            f"Its log: slipway logs --run {run.name} --stack {stack.name}"
        )
    there = f"holds only {', '.join(sorted(content))}" if content else "does not exist (any more)"
    raise SlipwayError(
        f"run {run.name} has no {METRICS_FILE}: {run.output} {there}. A script of your own writes one to "
        "SM_OUTPUT_DATA_DIR itself; what was read from the log: slipway runs --json"
    )


def files(stack: Stack, run: Run) -> dict[str, bytes]:
    """The files of the run's output by their paths in it; none while there is no output."""
    where = urlsplit(run.output)
    try:
        body = stack.client("s3").get_object(Bucket=where.netloc, Key=where.path.lstrip("/"))["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
            return {}
        raise
    found = {}
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        for member in tar:
            if member.isfile() and (file := tar.extractfile(member)):
                found[str(PurePosixPath(member.name))] = file.read()
    return found


def save(stack: Stack, run: Run, folder: Path) -> list[Path]:
    """Write the run's report, pictures and metrics.json into `folder`; returns them. Raises SlipwayError without any.

    Whatever the archive says, nothing is written outside of `folder`: only names are taken, no paths.
    """
    content = {PurePosixPath(name).name: body for name, body in files(stack, run).items() if name.endswith(SAVED)}
    if not content:
        read_metrics(stack, run)  # says why there is nothing
        raise SlipwayError(
            f"run {run.name} has no report in {run.output}; hyperparameter report is false, or it failed"
        )
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for name, body in sorted(content.items()):
        path = folder / name
        path.write_bytes(body)
        saved.append(path)
    return saved
