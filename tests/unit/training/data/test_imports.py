"""What loading costs in imports: a job has 2.5 seconds to its first step, and torch takes most of them."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

CHILD = """
import json, sys
from pathlib import Path
from training.data import Host, load
from training.options import DataOptions

def loaded():
    heavy = {"torch", "numpy", "sklearn", "scipy", "pandas", "PIL", "pyarrow", "tokenizers", "matplotlib"}
    return sorted(heavy & {name.partition(".")[0] for name in sys.modules})

found = {"package": loaded()}
for name, task in json.loads(sys.argv[1]).items():
    load(Path(name), DataOptions(task=task), Host())
    found[task] = loaded()
print(json.dumps(found))
"""


def test_each_source_imports_only_what_it_needs(tmp_path: Path, small_csv: str) -> None:
    """pyarrow would import pandas, two seconds, at the first conversion that asks whether it was given a data frame."""
    channels = {}
    for task in ("image-classification", "text-classification", "tabular-classification", "tabular-regression"):
        (tmp_path / task).mkdir()
        channels[str(tmp_path / task)] = task
    (tmp_path / "image-classification/a.csv").write_text(small_csv)
    (tmp_path / "text-classification/a.jsonl").write_text(
        '{"text": "x", "label": 0}\n{"text": "y", "label": "b"}\n' * 9
    )
    (tmp_path / "tabular-classification/a.csv.gz").write_bytes(gzip.compress(b"a,b,y\n" + b"x,1.5,p\ny,,q\n" * 9))
    table = pa.table({"a": [1.5, None] * 9, "b": ["p", "q"] * 9, "y": [1, 2] * 9})
    parquet.write_table(table, tmp_path / "tabular-regression/a.parquet")
    command = [sys.executable, "-c", CHILD, json.dumps(channels)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(result.stdout)
    assert "torch" not in found.pop("package")
    assert set(found["image-classification"]) == {"numpy", "torch"}
    assert set(found["text-classification"]) == {"numpy", "torch", "pyarrow", "tokenizers"}
    assert set(found["tabular-regression"]) == {"numpy", "torch", "pyarrow", "tokenizers"}
