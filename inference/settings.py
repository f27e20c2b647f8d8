"""The server's settings, from the environment the platform sets; every wrong value is reported at once.

| variable | meaning | default |
| --- | --- | --- |
| SAGEMAKER_BASE_DIR | folder that holds `model/` | /opt/ml |
| SAGEMAKER_BIND_TO_PORT | TCP port on 0.0.0.0 | 8080 |
| SLIPWAY_MAX_BODY_MIB | largest request body | 25, SageMaker's own limit for real-time endpoints |
| SLIPWAY_MAX_BATCH | most instances in one call of the model | 32 |
| SLIPWAY_IDLE_TIMEOUT_SECONDS | silence on a kept-alive connection before it is closed | 75 |
| SLIPWAY_HEADER_TIMEOUT_SECONDS | first byte of a request to the end of its headers | 10 |
| SLIPWAY_BODY_TIMEOUT_SECONDS | end of the headers to the end of the body | 60 |
| SLIPWAY_DRAIN_TIMEOUT_SECONDS | time for requests in flight after SIGTERM | 30 |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
DEFAULT_BASE_DIR = "/opt/ml"


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
    max_batch: int = 32
    idle_timeout: float = 75.0
    header_timeout: float = 10.0
    body_timeout: float = 60.0
    drain_timeout: float = 30.0


# variable: (field, kind, minimum, maximum, factor)
_VARIABLES: dict[str, tuple[str, type[int] | type[float], float, float, int]] = {
    "SAGEMAKER_BIND_TO_PORT": ("port", int, 1, 65_535, 1),
    "SLIPWAY_MAX_BODY_MIB": ("max_body_bytes", int, 1, 1024, MIB),
    "SLIPWAY_MAX_BATCH": ("max_batch", int, 1, 4096, 1),
    "SLIPWAY_IDLE_TIMEOUT_SECONDS": ("idle_timeout", float, 0.1, 3600, 1),
    "SLIPWAY_HEADER_TIMEOUT_SECONDS": ("header_timeout", float, 0.1, 3600, 1),
    "SLIPWAY_BODY_TIMEOUT_SECONDS": ("body_timeout", float, 0.1, 3600, 1),
    "SLIPWAY_DRAIN_TIMEOUT_SECONDS": ("drain_timeout", float, 0, 3600, 1),
}


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `environ`; raises SettingsError that lists every bad variable."""
    values: dict[str, int | float] = {}
    problems = []
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
    return Settings(model_folder=base / "model", **values)  # type: ignore[arg-type]
