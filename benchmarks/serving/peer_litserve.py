"""A peer: LitServe, whose batching is its own. `python -m benchmarks.serving.peer_litserve`.

PORT, MODEL (m1, m2, m3), WORKERS and MAX_BATCH are environment variables. It takes JSON only.
"""

import os

import litserve
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.serving.models import model

NAME = os.environ["MODEL"]
WAIT_SECONDS = 0.002


class Api(litserve.LitAPI):  # type: ignore[misc, unused-ignore]
    """One instance a request."""

    def setup(self, device: str) -> None:
        """Load."""
        torch.set_num_threads(1)
        self.model = model(NAME)

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # it reads the annotations
        """The instance."""
        return np.asarray(request["instances"][0], np.int64 if NAME == "m3" else np.float32)

    def batch(self, inputs: list[NDArray[np.generic]]) -> NDArray[np.generic]:
        """One array."""
        return np.stack(inputs)

    def predict(self, batch: NDArray[np.generic]) -> list[list[float]]:
        """Scores."""
        with torch.inference_mode():
            rows: list[list[float]] = self.model(torch.from_numpy(batch)).tolist()
        return rows

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        """A row for each request."""
        return output

    def encode_response(self, output: list[float]) -> dict[str, list[list[float]]]:
        """In JSON."""
        return {"predictions": [output]}


if __name__ == "__main__":
    api = Api(
        api_path="/invocations", max_batch_size=int(os.environ.get("MAX_BATCH", "32")), batch_timeout=WAIT_SECONDS
    )
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=int(os.environ.get("WORKERS", "1")), timeout=60
    )
    port = int(os.environ["PORT"])
    server.run(port=port, host="127.0.0.1", log_level="warning", access_log=False, generate_client_file=False)
