"""The `context` of a user's functions, with what TorchServe's has in AWS's own PyTorch container.

    context.system_properties["gpu_id"]                  None without a GPU
    context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes")
    context.set_response_status(429, "Too Many Requests")
    context.set_response_header(0, "X-Model-Age", "3 days")

The index is always 0: a context has one request.
"""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NVIDIA_DRIVER = Path("/dev/nvidiactl")
INFERENCE_ID = "x-amzn-sagemaker-inference-id"


class Headers(dict[str, str]):
    """Headers whose names are lower case, looked up in any case."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())


class RequestProcessor:
    """A request's headers, and what a user's function wants of the answer; TorchServe's name for it."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._request = Headers(headers)
        self._status, self._phrase = 200, ""
        self._answer: dict[str, str] = {}

    def get_request_property(self, key: str) -> str | None:
        found: str | None = self._request.get(key)
        return found

    def get_request_properties(self) -> dict[str, str]:
        return self._request

    def report_status(self, code: int, reason_phrase: str | None = None) -> None:
        self._status, self._phrase = code, reason_phrase or ""

    def get_response_status_code(self) -> int:
        return self._status

    def get_response_status_phrase(self) -> str:
        return self._phrase

    def add_response_property(self, key: str, value: str) -> None:
        self._answer[key.lower()] = value

    def get_response_headers(self) -> dict[str, str]:
        return self._answer

    def get_response_header(self, key: str) -> str | None:
        return self._answer.get(key.lower())


class Context:
    """What is known of the model and of one request; while the model loads there is no request, and no header."""

    def __init__(self, system_properties: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self.model_name = "model"
        self.manifest: dict[str, Any] = {}  # TorchServe's description of its archive
        self.metrics = None
        self.system_properties = system_properties
        self.request_processor = [RequestProcessor(headers or {})]

    def get_request_id(self, idx: int = 0) -> str:
        """The client's inference id where it has sent one."""
        return self.get_request_header(idx, INFERENCE_ID) or uuid.uuid4().hex

    def get_request_header(self, idx: int, key: str) -> str | None:
        return self.request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx: int) -> dict[str, str]:
        return self.request_processor[idx].get_request_properties()

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx: int) -> str | None:
        return self.request_processor[idx].get_response_header("content-type")

    def get_response_status(self, idx: int) -> tuple[int, str]:
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """`code` of the answer, from 200 to 599 (HTTP's own phrase goes with it)."""
        self.request_processor[idx].report_status(code, phrase)

    def set_all_response_status(self, code: int = 200, phrase: str = "") -> None:
        self.set_response_status(code, phrase)

    def get_response_headers(self, idx: int) -> dict[str, str]:
        return self.request_processor[idx].get_response_headers()

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.request_processor[idx].add_response_property(key, value)


def system_properties(folder: Path, batch_size: int) -> dict[str, Any]:
    """What is the same for all requests of the model in `folder`."""
    return {
        "model_dir": str(folder),
        "gpu_id": gpu_id(),
        "batch_size": batch_size,
        "server_name": "Slipway",
        "server_version": "1",
        "limit_max_image_pixels": True,
    }


def gpu_id() -> int | None:
    """0 where PyTorch finds a GPU; PyTorch is not imported where there is no driver."""
    if not NVIDIA_DRIVER.exists():
        return None
    import torch

    return 0 if torch.cuda.is_available() else None
