"""Data capture: requests and answers as JSON lines in S3, `<uri>/<endpoint>/<variant>/yyyy/mm/dd/hh/<name>.jsonl`.

What comes in while a file is being written goes into the next one, so a busy endpoint writes few files.
"""

import base64
import json
import random
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from localaws import s3
from localaws.iam.platform import AccessError, Actor

DEFAULT_TYPES = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
_MODES = {"Input": ("INPUT",), "Output": ("OUTPUT",), "InputAndOutput": ("INPUT", "OUTPUT")}
_PARTS = {"INPUT": "endpointInput", "OUTPUT": "endpointOutput"}


class Capture:
    """The capture of one endpoint configuration; `actor` is who writes."""

    def __init__(self, actor: Actor, endpoint: str, config: Mapping[str, Any]) -> None:
        self._clock = actor.cloud.clock
        self._actor = actor
        self._endpoint = endpoint
        self._config = config
        self._modes = {mode for option in config["CaptureOptions"] for mode in _MODES[option["CaptureMode"]]}
        self._types = {**DEFAULT_TYPES, **config.get("CaptureContentTypeHeader", {})}
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, dict[str, Any]]] = []
        self._writing = False

    @classmethod
    def of(cls, actor: Actor, endpoint: str, config: Mapping[str, Any]) -> "Capture | None":
        wanted = config.get("DataCaptureConfig", {})
        return cls(actor, endpoint, wanted) if wanted.get("EnableCapture") else None

    def record(self, variant: str, given: tuple[str, bytes], answered: tuple[str, bytes], inference_id: str) -> None:
        """Keep one exchange of (content type, body) each way, if it is in the sample."""
        if random.uniform(0, 100) >= self._config["InitialSamplingPercentage"]:
            return
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        bodies = {"INPUT": given, "OUTPUT": answered}
        line = {
            "captureData": {_PARTS[mode]: self._part(mode, *bodies[mode]) for mode in _PARTS if mode in self._modes},
            "eventMetadata": {
                "eventId": str(uuid4()),
                "inferenceTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                **({"inferenceId": inference_id} if inference_id else {}),
            },
            "eventVersion": "0",
        }
        with self._lock:
            self._waiting.append((f"{variant}/{now:%Y/%m/%d/%H}", line))
            if self._writing:
                return
            self._writing = True
        threading.Thread(target=self._write, name=f"capture-{self._endpoint}", daemon=True).start()

    def _part(self, mode: str, content_type: str, body: bytes) -> dict[str, str]:
        kind = content_type.partition(";")[0].strip().lower()
        encodings = {"CsvContentTypes": "CSV", "JsonContentTypes": "JSON"}
        encoding = next((encodings[name] for name in encodings if kind in self._types[name]), "BASE64")
        try:
            data = body.decode() if encoding != "BASE64" else base64.b64encode(body).decode()
        except UnicodeDecodeError:
            encoding, data = "BASE64", base64.b64encode(body).decode()
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}

    def _write(self) -> None:
        while True:
            with self._lock:
                taken, self._waiting = self._waiting, []
                if not taken:
                    self._writing = False
                    return
            files: dict[str, list[str]] = defaultdict(list)
            for folder, line in taken:
                files[folder].append(json.dumps(line))
            for folder, lines in files.items():
                now = datetime.fromtimestamp(self._clock.now(), UTC)
                name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid4()}.jsonl"
                target = s3.join(self._config["DestinationS3Uri"], self._endpoint, folder, name)
                key = self._config.get("KmsKeyId", "")
                with suppress(AccessError, FileNotFoundError):  # invocations go on where nothing can be captured
                    self._actor.write(target, key)
                    s3.write(target, "".join(f"{line}\n" for line in lines).encode(), key)
