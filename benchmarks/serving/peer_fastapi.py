"""A peer: FastAPI on uvicorn with a micro-batcher, as people write one. `python -m benchmarks.serving.peer_fastapi`.

PORT, MODEL (m1, m2, m3), WORKERS and MAX_BATCH are environment variables. The model runs on one thread; what waits when
it becomes free is the next batch.
"""

import asyncio
import io
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson
import torch
import uvicorn
from fastapi import FastAPI, Request, Response
from numpy.typing import NDArray

from benchmarks.serving.models import model

NAME, MAX_BATCH = os.environ["MODEL"], int(os.environ.get("MAX_BATCH", "32"))
NPY = "application/x-npy"
Waiting = tuple[NDArray[np.generic], "asyncio.Future[list[float]]"]


class MicroBatcher:
    """Requests of one instance each, predicted together."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.model = model(NAME)
        self.waiting: deque[Waiting] = deque()
        self.thread = ThreadPoolExecutor(1)
        self.task: asyncio.Task[None] | None = None

    async def predict(self, instance: NDArray[np.generic]) -> list[float]:
        """Scores of one instance."""
        future: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
        self.waiting.append((instance, future))
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        while self.waiting:
            batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), MAX_BATCH))]
            instances = np.stack([instance for instance, _ in batch])
            rows = await asyncio.get_running_loop().run_in_executor(self.thread, self._run, instances)
            for (_, future), row in zip(batch, rows, strict=True):
                if not future.done():
                    future.set_result(row)
            await asyncio.sleep(0)

    def _run(self, instances: NDArray[np.generic]) -> list[list[float]]:
        with torch.inference_mode():
            rows: list[list[float]] = self.model(torch.from_numpy(instances)).tolist()
        return rows


app = FastAPI()
batcher = MicroBatcher()


@app.get("/ping")
def ping() -> dict[str, str]:
    """Ready once the module is imported."""
    return {}


@app.post("/invocations")
async def invocations(request: Request) -> Response:
    """Scores in JSON."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith(NPY):
        instance = np.load(io.BytesIO(body))[0]
    else:
        instance = np.asarray(orjson.loads(body)["instances"][0], np.int64 if NAME == "m3" else np.float32)
    return Response(orjson.dumps({"predictions": [await batcher.predict(instance)]}), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.serving.peer_fastapi:app",
        port=int(os.environ["PORT"]),
        workers=int(os.environ.get("WORKERS", "1")),
        log_level="warning",
        access_log=False,
    )
