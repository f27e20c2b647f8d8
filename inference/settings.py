"""The server's settings, from the environment the platform sets; every wrong value is reported at once.

| variable | meaning | default |
| --- | --- | --- |
| SAGEMAKER_BASE_DIR | folder that holds `model/` | /opt/ml |
| SAGEMAKER_BIND_TO_PORT | TCP port on 0.0.0.0 | 8080 |
| SLIPWAY_MAX_BODY_MIB | largest request body | 25, SageMaker's own limit for real-time endpoints |
| SLIPWAY_ENGINE | `auto` (the fastest in the artifact), `torch`, `onnx` or `compiled` (torch.compile) | auto |
| SLIPWAY_DEVICE | `auto` (a GPU where there is one, which only the engine `torch` uses), `cpu` or `cuda` | auto |
| SLIPWAY_WORKERS | processes that serve; 0: one for each CPU, as far as the memory reaches; with a GPU one | 0 |
| SLIPWAY_THREADS | threads of the arithmetic in each worker; 0: CPUs / workers | 0 |
| SLIPWAY_MAX_BATCH | most instances in one call of the model | 32 |
| SLIPWAY_BATCH_TARGET_MILLISECONDS | longest call of the model that batches are made for | 250 |
| SLIPWAY_MAX_QUEUE_SECONDS | work before a new request above which it is refused with 503 | 5 |
| SLIPWAY_MAX_CONNECTIONS | open client connections; more are answered with 503 | 4096 |
| SAGEMAKER_MULTI_MODEL | `true`: many models, loaded and unloaded by /models, in one worker | false |
| SLIPWAY_MODELS_MEMORY_MIB | memory for all of them; 0: what the machine or the cgroup has left | 0 |
| SLIPWAY_MODEL_NAME | the model's name in the paths of KServe's V2 protocol | model |
| SLIPWAY_IDLE_TIMEOUT_SECONDS | silence on a kept-alive connection before it is closed | 75 |
| SLIPWAY_HEADER_TIMEOUT_SECONDS | first byte of a request to the end of its headers | 10 |
| SLIPWAY_BODY_TIMEOUT_SECONDS | end of the headers to the end of the body | 60 |
| SLIPWAY_REQUEST_TIMEOUT_SECONDS | end of a request to the end of its answer | 60, SageMaker's own |
| SLIPWAY_DRAIN_TIMEOUT_SECONDS | time for requests in flight after SIGTERM | 30 |
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
DEFAULT_BASE_DIR = "/opt/ml"
DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("auto", "torch", "onnx", "compiled")


class SettingsError(Exception):
    """One or more environment variables hold a value that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the server needs to know before it listens; times in seconds."""

    model_folder: Path
    host: str = "0.0.0.0"
    port: int = 8080
    max_body_bytes: int = 25 * MIB
    max_header_bytes: int = 32 * 1024
    engine: str = "auto"
    device: str = "auto"
    workers: int = 0
    threads: int = 0
    max_batch: int = 32
    batch_target_milliseconds: float = 250.0
    max_queue_seconds: float = 5.0
    max_connections: int = 4096
    multi_model: bool = False
    models_memory_bytes: int = 0
    model_name: str = "model"
    idle_timeout: float = 75.0
    header_timeout: float = 10.0
    body_timeout: float = 60.0
    request_timeout: float = 60.0
    drain_timeout: float = 30.0

    @property
    def models_folder(self) -> Path:
        """Where the models of a multi-model container lie, each in a folder of its own."""
        return self.model_folder.parent / "models"


# variable: (field, kind, minimum, maximum, factor)
_VARIABLES: dict[str, tuple[str, type[int] | type[float], float, float, int]] = {
    "SAGEMAKER_BIND_TO_PORT": ("port", int, 1, 65_535, 1),
    "SLIPWAY_MAX_BODY_MIB": ("max_body_bytes", int, 1, 1024, MIB),
    "SLIPWAY_MAX_BATCH": ("max_batch", int, 1, 4096, 1),
    "SLIPWAY_WORKERS": ("workers", int, 0, 256, 1),
    "SLIPWAY_THREADS": ("threads", int, 0, 1024, 1),
    "SLIPWAY_BATCH_TARGET_MILLISECONDS": ("batch_target_milliseconds", float, 0.1, 60_000, 1),
    "SLIPWAY_MAX_QUEUE_SECONDS": ("max_queue_seconds", float, 0, 3600, 1),
    "SLIPWAY_MODELS_MEMORY_MIB": ("models_memory_bytes", int, 0, 2**24, MIB),
    "SLIPWAY_MAX_CONNECTIONS": ("max_connections", int, 1, 65_535, 1),
    "SLIPWAY_REQUEST_TIMEOUT_SECONDS": ("request_timeout", float, 0.1, 3600, 1),
    "SLIPWAY_IDLE_TIMEOUT_SECONDS": ("idle_timeout", float, 0.1, 3600, 1),
    "SLIPWAY_HEADER_TIMEOUT_SECONDS": ("header_timeout", float, 0.1, 3600, 1),
    "SLIPWAY_BODY_TIMEOUT_SECONDS": ("body_timeout", float, 0.1, 3600, 1),
    "SLIPWAY_DRAIN_TIMEOUT_SECONDS": ("drain_timeout", float, 0, 3600, 1),
}
# variable: (field, pattern, words for it)
_WORDS = {
    "SLIPWAY_ENGINE": ("engine", "|".join(ENGINES), f"one of {', '.join(ENGINES)}"),
    "SLIPWAY_DEVICE": ("device", "|".join(DEVICES), f"one of {', '.join(DEVICES)}"),
    "SLIPWAY_MODEL_NAME": ("model_name", r"[A-Za-z0-9._-]{1,64}", "1 to 64 letters, digits, and any of . _ -"),
}


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `environ`; raises SettingsError that lists every bad variable."""
    values: dict[str, int | float | str] = {}
    problems = []
    for variable, (field, pattern, allowed) in _WORDS.items():
        word = environ.get(variable, "").strip()
        if word and not re.fullmatch(pattern, word):
            problems.append(f"{variable} is {word!r}; set it to {allowed}, or unset it")
        elif word:
            values[field] = word
    for variable, (field, kind, minimum, maximum, factor) in _VARIABLES.items():
        text = environ.get(variable, "").strip()
        if not text:
            continue
        try:
            number = kind(text)
        except ValueError:
            number = kind(-1)
        if not minimum <= number <= maximum:
            name = "a whole number" if kind is int else "a number"
            problems.append(f"{variable} is {text!r}; set it to {name} from {minimum:g} to {maximum:g}, or unset it")
            continue
        values[field] = number * factor
    if problems:
        raise SettingsError("; ".join(problems))
    base = Path(environ.get("SAGEMAKER_BASE_DIR") or DEFAULT_BASE_DIR)
    values["multi_model"] = environ.get("SAGEMAKER_MULTI_MODEL", "").strip().lower() == "true"
    return Settings(model_folder=base / "model", **values)  # type: ignore[arg-type]
