"""One instance's part of a transform job: its objects, cut into mini-batches that several workers send at a time."""

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from localaws import s3
from localaws.cloud import Cloud
from localaws.sagemaker import connections
from localaws.sagemaker.instance import Instance
from localaws.sagemaker.transform.processing import Filtered, Plain
from localaws.sagemaker.transform.records import MB_BYTES, Batch, RecordError, batches, split, unpack
from localaws.sagemaker.transform.settings import Settings

CLIENT_ERROR, ALGORITHM_ERROR = "ClientError", "AlgorithmError"


class DocumentError(Exception):
    """An object cannot be transformed; `lines` go to the job's data log."""

    def __init__(self, kind: str, *lines: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.lines = lines


@dataclass(kw_only=True, eq=False)
class Document:
    """One input object. `name` is its place below the prefix, `parts` the answers by number, `kind` of its failure."""

    bucket: str
    key: str
    name: str
    parts: dict[int, bytes] = field(default_factory=dict)
    kind: str = ""

    def content(self) -> bytes:
        """The output, once every part is there."""
        return b"".join(self.parts[number] for number in sorted(self.parts))


class Task(NamedTuple):
    """One request to make."""

    document: Document
    number: int
    batch: Batch


@dataclass(frozen=True, kw_only=True)
class Work:
    """What all instances of a job share. `log` takes lines of the data log, `is_over` says whether to give up."""

    cloud: Cloud
    request: Mapping[str, Any]
    settings: Settings
    processing: Plain | Filtered
    log: Callable[[list[str]], None]
    is_over: Callable[[], bool]


class Share:
    """The objects of one instance; several threads call `run`."""

    def __init__(self, work: Work, instance: Instance, documents: Sequence[Document]) -> None:
        self._work = work
        self._instance = instance
        self._documents = documents
        self._lock = threading.Lock()
        self._tasks = self._generate()
        given, output = work.request["TransformInput"], work.request["TransformOutput"]
        headers = {"Content-Type": given.get("ContentType"), "Accept": output.get("Accept")}
        self._headers = {name: value for name, value in headers.items() if value}

    def run(self) -> None:
        """Body of a worker's thread: one request after the other until there are none."""
        while not self._work.is_over() and (task := self._take()) is not None:
            try:
                if not task.document.kind:
                    answer = self._ask(task.batch.body)
                    task.document.parts[task.number] = self._assemble(task.batch, answer)
            except DocumentError as error:
                self._fail(task.document, error)

    def _take(self) -> Task | None:
        with self._lock:
            return next(self._tasks, None)

    def _generate(self) -> Iterator[Task]:
        for document in self._documents:
            try:
                for number, batch in enumerate(self._batches(document)):
                    if document.kind:
                        break
                    yield Task(document, number, batch)
            except (RecordError, FileNotFoundError) as error:
                self._fail(document, DocumentError(CLIENT_ERROR, str(error)))

    def _batches(self, document: Document) -> Iterator[Batch]:
        given, settings = self._work.request["TransformInput"], self._work.settings
        content = unpack(s3.read(document.bucket, document.key), given["CompressionType"])
        records = split(content, given["SplitType"])
        return batches(records, self._work.processing.encode, limit_mb=settings.payload_mb, single=settings.single)

    def _assemble(self, batch: Batch, answer: bytes) -> bytes:
        try:
            return self._work.processing.assemble(batch.records, answer)
        except RecordError as error:
            raise DocumentError(CLIENT_ERROR, str(error)) from error

    def _ask(self, body: bytes) -> bytes:
        """The server's answer. What is not the client's fault is tried again. Raises DocumentError."""
        error = DocumentError(ALGORITHM_ERROR)
        for _ in range(1 + self._work.settings.retries):
            if self._work.is_over():
                break
            try:
                return self._try(body)
            except DocumentError as failed:
                error = failed
                if failed.kind == CLIENT_ERROR:
                    break
        raise error

    def _try(self, body: bytes) -> bytes:
        settings = self._work.settings
        sent = body if settings.payload_mb else [body[at : at + MB_BYTES] for at in range(0, len(body), MB_BYTES)]
        try:
            status, _, content = connections.exchange(
                self._work.cloud, self._instance, self._headers, sent, settings.timeout_seconds
            )
        except ConnectionRefusedError:
            status, content = 0, b""
        if http.client.OK <= status < http.client.MULTIPLE_CHOICES:
            return content
        if not status:
            raise DocumentError(ALGORITHM_ERROR, "Unable to get response from algorithm")
        message = ["", "Message:", *content.decode("utf-8", "replace").splitlines()]
        if http.client.BAD_REQUEST <= status < http.client.INTERNAL_SERVER_ERROR:
            raise DocumentError(CLIENT_ERROR, f"ClientError: {status}", *message)
        raise DocumentError(ALGORITHM_ERROR, f"Bad HTTP status received from algorithm: {status}", *message)

    def _fail(self, document: Document, error: DocumentError) -> None:
        """The object has no output; its first failure is told, the job's other objects go on."""
        first, document.kind = not document.kind, document.kind or error.kind
        if first and not self._work.is_over():
            self._work.log([f"{document.bucket}/{document.key}: {line}" for line in error.lines])
