"""How a transform job asks its server: from the request, else from the server's /execution-parameters, else AWS's own.

Source: "How Containers Serve Requests" in the guide's page on batch transform with one's own inference code.
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localaws.sagemaker.instance import HOST, Instance

DEFAULT_PAYLOAD_MB = 6
DEFAULT_TIMEOUT_SECONDS = 600
DEFAULT_RETRIES = 3
QUESTION_SECONDS = 2.0  # machine time, as a ping has
# The API's names of the strategies, and those that containers see.
STRATEGIES = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
_WISHES = {"MaxConcurrentTransforms": int, "MaxPayloadInMB": int, "BatchStrategy": str}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`payload_mb` 0 is no limit, and a chunked body."""

    parallel: int
    payload_mb: int
    single: bool
    timeout_seconds: int
    retries: int

    def __str__(self) -> str:
        """The first line of AWS's data log."""
        strategy = STRATEGIES["SingleRecord" if self.single else "MultiRecord"]
        return f"MaxConcurrentTransforms={self.parallel}, MaxPayloadInMB={self.payload_mb}, BatchStrategy={strategy}"


def environment(request: Mapping[str, Any]) -> dict[str, str]:
    """What a batch container gets; AWS passes the last three on only where the request gives them."""
    given = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": request.get("MaxPayloadInMB"),
        "SAGEMAKER_BATCH_STRATEGY": STRATEGIES.get(request.get("BatchStrategy", "")),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": request.get("MaxConcurrentTransforms") or None,
    }
    known = {name: str(value) for name, value in given.items() if value is not None}
    return {**request.get("Environment", {}), "SAGEMAKER_BATCH": "true", **known}


def decide(request: Mapping[str, Any], instance: Instance) -> Settings:
    """The settings of a job, asking one of its servers for what the request leaves open."""
    asked = _execution_parameters(instance)
    client = request.get("ModelClientConfig", {})
    strategy = request.get("BatchStrategy") or asked.get("BatchStrategy", "")
    payload = request.get("MaxPayloadInMB", asked.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB))
    return Settings(
        parallel=int(request.get("MaxConcurrentTransforms") or asked.get("MaxConcurrentTransforms") or 1),
        payload_mb=int(payload),
        single=strategy in ("SingleRecord", STRATEGIES["SingleRecord"]),
        timeout_seconds=client.get("InvocationsTimeoutInSeconds", DEFAULT_TIMEOUT_SECONDS),
        retries=client.get("InvocationsMaxRetries", DEFAULT_RETRIES),
    )


def _execution_parameters(instance: Instance) -> Mapping[str, Any]:
    """The server's own wishes; none where it does not answer with an object of JSON."""
    connection = http.client.HTTPConnection(HOST, instance.port, timeout=QUESTION_SECONDS)
    try:
        connection.request("GET", "/execution-parameters")
        answer = connection.getresponse()
        found = json.loads(answer.read()) if answer.status == http.client.OK else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    wishes = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in wishes if isinstance(value, _WISHES.get(name, ()))}
