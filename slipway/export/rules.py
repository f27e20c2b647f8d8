"""What each option of `slipway export kubernetes` may hold: one reader an option.

A reader turns the text of an option into its value, or raises ValueError with what is allowed.
"""

import re
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

# A Service's name is a DNS label that begins with a letter (RFC 1035); Kubernetes uses it in the others' labels.
NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")
MOST_NAME = 253  # characters of a DNS-1123 subdomain
IMAGE = re.compile(
    r"([a-zA-Z0-9][a-zA-Z0-9.-]*(:\d{1,5})?/)?"  # registry
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
CPU = re.compile(r"(?P<cpus>\d+(\.\d{1,3})?)|(?P<milli>\d+)m")
LEAST_MILLI = 100
MEMORY = re.compile(r"(?P<number>\d+)(?P<unit>Mi|Gi|Ti)")
MIB = {"Mi": 1, "Gi": 1024, "Ti": 1024**2}
LEAST_MIB = 256
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECRET_WORDS = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
DRAIN = "SLIPWAY_DRAIN_TIMEOUT_SECONDS"
MOST_DRAIN_SECONDS = 3600
OWN_VARIABLES = {
    "SAGEMAKER_BIND_TO_PORT": "the port is 8080 in every pod; the Service has its own",
    "SAGEMAKER_BASE_DIR": "the model is put into /opt/ml/model",
}


def matching(pattern: re.Pattern[str], allowed: str, most: int = MOST_NAME) -> Callable[[str], str]:
    """A reader of texts that `pattern` matches as a whole."""

    def read(text: str) -> str:
        if not pattern.fullmatch(text) or len(text) > most:
            raise ValueError(allowed)
        return text

    return read


def whole(minimum: int, maximum: int, unit: str) -> Callable[[str], int]:
    """A reader of whole numbers from `minimum` to `maximum`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"{unit}, a whole number from {minimum} to {maximum}")
        return int(text)

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of a few words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(", ".join(words))
        return text

    return read


def optional(reader: Callable[[str], Value]) -> Callable[[str], Value | None]:
    """The same reader, for which an empty text is no value."""
    return lambda text: reader(text) if text else None


def cpu(text: str) -> str:
    """CPUs as Kubernetes writes them, at least a tenth of one."""
    found = CPU.fullmatch(text)
    milli = 0.0 if not found else float(found["milli"] or 0) + 1000 * float(found["cpus"] or 0)
    if milli < LEAST_MILLI:
        raise ValueError(f"CPUs as 2, 0.5 or 1500m, at least {LEAST_MILLI}m")
    return text


def memory(text: str) -> str:
    """Memory with its unit: a bare 4 would be four bytes, and 400m less than one."""
    found = MEMORY.fullmatch(text)
    if not found or int(found["number"]) * MIB[found["unit"]] < LEAST_MIB:
        raise ValueError(f"a whole number of Mi, Gi or Ti, for example 4Gi, at least {LEAST_MIB}Mi")
    return text


def variable(text: str) -> tuple[str, str]:
    """NAME=VALUE, for the server's environment; no secrets, and nothing that the manifests decide."""
    name, equals, value = text.partition("=")
    if not equals or not VARIABLE.fullmatch(name):
        raise ValueError("NAME=VALUE, the name of letters, digits and _")
    if name in OWN_VARIABLES:
        raise ValueError(f"any other variable: {OWN_VARIABLES[name]}")
    if SECRET_WORDS.search(name):
        raise ValueError(f"no secrets in plain text; keep {name} in a Secret and name that with --env-secret")
    if name == DRAIN and not (re.fullmatch(r"\d{1,4}", value) and int(value) <= MOST_DRAIN_SECONDS):
        raise ValueError(f"{DRAIN}=SECONDS, a whole number from 0 to {MOST_DRAIN_SECONDS}")
    return name, value
