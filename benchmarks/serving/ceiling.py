"""The raw model without any server: `python -m benchmarks.serving.ceiling MODEL THREADS SECONDS KEEP`.

Prints {batch: examples a second} as JSON; KEEP 1 raises the C library's malloc thresholds, as our server does.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence

BATCHES = (1, 8, 32)
WARM_UP_CALLS = 3


def main(name: str, threads: str, seconds: str, keep: str) -> None:
    """Measure and print."""
    import torch

    from benchmarks.serving.models import inputs, model
    from inference.machine import keep_freed_memory

    if keep == "1":
        keep_freed_memory()
    torch.set_num_threads(int(threads))
    served, found = model(name), {}
    for batch in BATCHES:
        rows = torch.from_numpy(inputs(name, batch))
        with torch.inference_mode():
            for _ in range(WARM_UP_CALLS):
                served(rows)
            print("ready", flush=True)
            sys.stdin.readline()  # both processes measure at the same time
            calls, started = 0, time.perf_counter()
            while (spent := time.perf_counter() - started) < float(seconds):
                served(rows)
                calls += 1
        found[batch] = calls * batch / spent
    print(json.dumps(found), flush=True)


def measure(name: str, processes: int, threads: int, seconds: float, *, keep: bool) -> dict[int, float]:
    """Examples a second by batch size, of `processes` processes of `threads` threads together."""
    command = [sys.executable, "-m", "benchmarks.serving.ceiling", name, str(threads), str(seconds), str(int(keep))]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    try:
        for _ in BATCHES:
            for process in running:
                assert process.stdout is not None and process.stdout.readline() == "ready\n"
            for process in running:
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
        rows: Sequence[dict[str, float]] = [json.loads(process.communicate()[0]) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    return {batch: sum(row[str(batch)] for row in rows) for batch in BATCHES}


if __name__ == "__main__":
    main(*sys.argv[1:])
