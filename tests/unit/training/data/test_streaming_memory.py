"""A data set that does not fit into memory is prepared, and read for several passes in the same little memory.

RLIMIT_DATA bounds what a process may allocate (man 2 getrlimit). Under the same limit an array of the size of the data
set cannot be made, and the set cannot be loaded whole.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIDE = 512
IMAGES = 120  # of 768 KiB each: 90 MiB, four fifths of them to train on
PLAIN_HEAP = {"MALLOC_MMAP_THRESHOLD_": "1000000"}  # glibc gives large blocks back at once, so peaks are the program's
HEADROOM = 64 * 2**20  # that the process may allocate beside what it has after its imports
LIMIT = f"""
import json, resource, sys
from pathlib import Path

def limit():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmData")]
    bound = int(line.split()[1]) * 1024 + {HEADROOM}
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
"""
PREPARE = (
    LIMIT
    + """
import numpy as np
from PIL import BmpImagePlugin
from training.prepare.__main__ import main
limit()
try:
    np.ones(int(sys.argv.pop()), np.uint8)
except MemoryError:
    sys.exit(main(sys.argv[1:]))
sys.exit("the limit does not bind")
"""
)
READ = (
    LIMIT
    + """
import torch
from training.data import Host, load, prepared  # all imports come before the limit
from training.options import DataOptions
limit()
folder, found = Path(sys.argv[1]), {"rows": [], "peak_kib": []}
data = load(folder, DataOptions(stream_above_mb=1), Host())
generator = torch.Generator().manual_seed(0)
for _ in range(3):
    rows, targets = 0, 0
    for window in data.train.plan(generator):
        inputs, classes = window.read()
        rows, targets = rows + len(inputs), targets + int(classes.sum())
    found["rows"].append([rows, targets])
    found["peak_kib"].append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
try:
    load(folder, DataOptions(), Host())
except RuntimeError as error:  # torch's word for it
    found["whole"] = str(error)
print(json.dumps(found))
"""
)


def _run(script: str, *words: object) -> str:
    command = [sys.executable, "-c", script, *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200, env=os.environ | PLAIN_HEAP)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_DATA"), reason="this system has no such limit")
def test_more_than_the_memory_is_prepared_and_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    for number in range(IMAGES):
        path = tmp_path / f"photos/{'ab'[number % 2]}/{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise[0, 0] = number
        Image.fromarray(noise).save(path)
    words = [tmp_path / "photos", "--out", tmp_path / "set", "--task", "image-classification", "--shard-mb", 4]
    _run(PREPARE, *words, noise.size * IMAGES)
    found = json.loads(_run(READ, tmp_path / "set"))
    assert "can't allocate memory" in found["whole"]
    train = json.loads((tmp_path / "set/dataset.json").read_text())["classes"]["train"]
    assert found["rows"] == [[train["a"] + train["b"], train["b"]]] * 3
    first, *later = found["peak_kib"]
    assert max(later) - first < 2 * 1024
