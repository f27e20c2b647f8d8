"""One transform job: servers start, take the input objects' records, and end; the answers are stored at the end.

InProgress -> Completed, or Failed where a record of any object failed (the outputs of the other objects are stored
all the same), or Stopping -> Stopped, of which nothing is stored. AWS bills from TransformStartTime to
TransformEndTime for each instance.
"""

import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from localaws import s3
from localaws.cloud import Cloud
from localaws.iam.platform import AccessError, Actor
from localaws.money import meters
from localaws.money.ledger import Usage
from localaws.processes import Sink
from localaws.sagemaker import channels, permissions
from localaws.sagemaker.definitions import containers
from localaws.sagemaker.instance import Instance, InstanceError, NotHealthyError, Server, in_parallel
from localaws.sagemaker.transform import processing, settings
from localaws.sagemaker.transform.records import RecordError
from localaws.sagemaker.transform.share import CLIENT_ERROR, Document, Share, Work

LOG_GROUP = "/aws/sagemaker/TransformJobs"
STARTUP_SECONDS = 480
TERMINAL = ("Completed", "Failed", "Stopped")
INTERNAL = "InternalServerError: We encountered an internal error. Please try again."
NO_PING = (
    "AlgorithmError: Model container failed to respond to ping. Please ensure /ping endpoint is implemented and "
    "responds with an HTTP 200 status code"
)
SEE_LOGS = "{kind}: See job logs for more information"

DIFFERENCES = (
    (
        "outputs of a transform job",
        "written when the job ends, not while it runs; of a stopped job none, as AWS documents",
    ),
    (
        "data processing of a transform job",
        "a range of JSONPath includes its end, as AWS's guide says; JSON comes out compact, CSV with as few quotes as "
        "can be",
    ),
)


class TransformError(Exception):
    """Ends the job as Failed; the text is its FailureReason."""


class TransformRun:
    """Runs one job in a thread of its own and keeps `record`, which DescribeTransformJob shows, up to date."""

    def __init__(self, cloud: Cloud, region: str, record: dict[str, Any], model: Mapping[str, Any]) -> None:
        self._cloud = cloud
        self._record = record
        self._actor = Actor(cloud=cloud, role=model["ExecutionRoleArn"], region=region)
        self._bill: Usage | None = None
        self._lock = threading.RLock()
        self._wake = cloud.clock.event()  # the workers are through, or a stop was asked for
        self._stop_asked = False
        self._abandoned = False
        self._is_storing = False
        self._is_broken = False
        self._workers: list[threading.Thread] = []
        self.finished = cloud.clock.event()
        name = record["TransformJobName"]
        server = Server(
            region=region,
            owner=name,
            kind="transform job",
            variant=name,
            container=dict(containers(model)[0]),
            role=model["ExecutionRoleArn"],
            startup_seconds=STARTUP_SECONDS,
            log_group=LOG_GROUP,
            environment=settings.environment(record),
        )
        count = record["TransformResources"]["InstanceCount"]
        self._instances = [Instance(cloud=cloud, server=server) for _ in range(count)]

    def stop(self) -> None:
        """StopTransformJob: returns at once, the job ends by itself."""
        with self._lock:
            if self._is_storing or self._record["TransformJobStatus"] in TERMINAL:
                return  # it has all but ended
            self._stop_asked = True
            self._record |= {"TransformJobStatus": "Stopping", "LastModifiedTime": self._cloud.clock.now()}
        for item in self._instances:
            item.retiring = True  # ends the wait for a server that is still starting
        self._wake.set()

    def abandon(self) -> None:
        """Kill at once and store nothing; returns when the thread is through."""
        self._abandoned = True
        self.stop()
        in_parallel(Instance.kill, self._instances)
        self.finished.wait()

    def run(self) -> None:
        """Body of the job's thread."""
        status, reason = "Failed", INTERNAL
        try:
            self._record["TransformStartTime"] = self._cloud.clock.now()
            self._bill = meters.transform(self._cloud, self._actor.region, self._record)
            self._transform()
            status, reason = "Completed", ""
        except TransformError as error:
            reason = str(error)
        except Exception:
            traceback.print_exc(file=sys.stderr)
        finally:
            in_parallel(Instance.kill if self._abandoned else Instance.stop, self._instances)
            for worker in self._workers:
                worker.join()
            self._finish(*(("Stopped", "") if self._stop_asked else (status, reason)))
            self.finished.set()

    def _finish(self, status: str, reason: str) -> None:
        now = self._cloud.clock.now()
        with self._lock:
            self._record |= {"TransformEndTime": now, "LastModifiedTime": now}
            if self._bill is not None:
                self._bill.stop(now)
            self._record |= {"FailureReason": reason} if reason else {}
            self._record["TransformJobStatus"] = status  # last: who polls it finds everything else in place

    def _transform(self) -> None:
        documents = self._documents()
        self._bring_up()
        chosen = settings.decide(self._record, self._instances[0])
        log = self._data_log()
        log([str(chosen)])
        work = Work(
            cloud=self._cloud,
            request=self._record,
            settings=chosen,
            processing=self._processing(log, single=chosen.single),
            log=log,
            is_over=lambda: self._stop_asked,
        )
        self._work(work, documents)
        if self._is_broken:
            raise TransformError(INTERNAL)
        self._store(documents)

    def _documents(self) -> list[Document]:
        source = self._record["TransformInput"]["DataSource"]["S3DataSource"]
        try:
            permissions.read_transform_input(self._actor, source)
            found = channels.objects(source)
        except AccessError as error:
            raise TransformError(f"ClientError: Data download failed: AccessDenied (403): {error}") from error
        except (FileNotFoundError, ValueError) as error:
            raise TransformError(f"ClientError: Data download failed: {error}") from error
        return [Document(bucket=bucket, key=key, name=name.lstrip("/")) for bucket, key, name in found]

    def _bring_up(self) -> None:
        errors: list[str] = []

        def start(item: Instance) -> None:
            try:
                item.start(lambda _: None)
                item.wait_healthy()
            except NotHealthyError:
                errors.append(NO_PING)
            except InstanceError as error:
                errors.append(f"ClientError: {error}")
            except Exception:  # in a thread of its own nobody else would notice
                traceback.print_exc(file=sys.stderr)
                errors.append(INTERNAL)

        in_parallel(start, self._instances)
        if errors:
            raise TransformError(errors[0])

    def _data_log(self) -> Sink:
        """AWS's own lines about the job, beside the server's: `<job>/<instance>/data-log`."""
        name, clock = self._record["TransformJobName"], self._cloud.clock
        append = self._actor.log_if_allowed(LOG_GROUP, f"{name}/{self._instances[0].id}/data-log")

        def sink(lines: list[str]) -> None:
            stamp = f"{datetime.fromtimestamp(clock.now(), UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3]
            append([f"{stamp}:[sagemaker logs]: {line}" for line in lines])

        return sink

    def _processing(self, log: Sink, *, single: bool) -> processing.Plain | processing.Filtered:
        try:
            return processing.of(self._record, single=single)
        except RecordError as error:
            log([str(error)])
            raise TransformError(SEE_LOGS.format(kind=CLIENT_ERROR)) from error

    def _work(self, work: Work, documents: Sequence[Document]) -> None:
        """Send everything, the objects dealt out to the instances; returns at the end or at a stop."""
        count = len(self._instances)
        shares = [Share(work, item, documents[number::count]) for number, item in enumerate(self._instances)]
        left = len(shares) * work.settings.parallel

        def run(share: Share) -> None:
            nonlocal left
            try:
                share.run()
            except Exception:  # in a thread of its own nobody else would notice
                traceback.print_exc(file=sys.stderr)
                self._is_broken = True
            finally:
                with self._lock:
                    left -= 1
                    if not left:
                        self._wake.set()

        for share in shares:
            for _ in range(work.settings.parallel):
                self._workers.append(threading.Thread(target=run, args=(share,), name="transform", daemon=True))
        for worker in self._workers:
            worker.start()
        self._wake.wait()

    def _store(self, documents: Sequence[Document]) -> None:
        """Write what succeeded; then fail the job if anything did not. Raises TransformError."""
        with self._lock:
            if self._stop_asked:
                return
            self._is_storing = True
        output = self._record["TransformOutput"]
        try:
            for document in documents:
                if not document.kind:
                    uri = s3.join(output["S3OutputPath"], f"{document.name}.out")
                    self._actor.write(uri, output["KmsKeyId"])
                    s3.write(uri, document.content(), output["KmsKeyId"])
        except AccessError as error:
            raise TransformError(f"ClientError: Output upload failed: AccessDenied (403): {error}") from error
        except FileNotFoundError as error:
            raise TransformError(f"ClientError: Output upload failed: {error}") from error
        failed = next((document for document in documents if document.kind), None)
        if failed is not None:
            raise TransformError(SEE_LOGS.format(kind=failed.kind))
