"""Bodies that are meant to fill the memory: none takes more than a hundred times its size and a constant."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import orjson
import pytest

from tests.unit.inference.fuzzing import CSV, LINES, MAX_BYTES, NPY, NPZ, VALID, Sent, npy, npz, outcome, picture, v2

SIZE_BYTES = 100_000
FACTOR, CONSTANT_BYTES = 100, 8 * 2**20


def repeated(unit: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    return before + unit * (SIZE_BYTES // len(unit)) + after


def keys() -> bytes:
    return orjson.dumps({"inputs": {f"k{number}": 0 for number in range(SIZE_BYTES // 10)}})


def tensors(tensor: bytes) -> bytes:
    return b'{"inputs":[%b]}' % b",".join([tensor] * (SIZE_BYTES // len(tensor)))


def answers() -> bytes:
    """A request that wants its answer many times over."""
    request = next(v2("image", np.zeros((2, 4, 3), np.float32)))[1]
    return request[:-1] + repeated(b'{"name":"scores"},', b',"outputs":[', b'{"name":"label"}]}')


BOMBS: dict[str, Callable[[], Sent]] = {
    "empty lists": lambda: ({}, repeated(b"[],", b'{"instances":[', b"[]]}")),
    "empty objects": lambda: ({}, repeated(b"{},", b"[", b"{}]")),
    "empty texts": lambda: ({}, repeated(b'"",', b"[", b'""]')),
    "one long text among short ones": lambda: ({}, repeated(b'"",', b'["' + b"a" * SIZE_BYTES + b'",', b'""]')),
    "lists of one number": lambda: ({}, repeated(b"[0],", b"[", b"[0]]")),
    "depth": lambda: ({}, b"[" * SIZE_BYTES),
    "allowed depth": lambda: ({}, b"[" * 1000 + b"]" * 1000),
    "keys": lambda: ({}, keys()),
    "gzip": lambda: ({"content-encoding": "gzip"}, gzip.compress(bytes(2**26))),
    "gzip in JSON": lambda: ({"content-encoding": "deflate"}, zlib.compress(b" " * MAX_BYTES)),
    "lines": lambda: ({"content-type": LINES}, repeated(b"0\n")),
    "lines of lists": lambda: ({"content-type": LINES}, repeated(b"[]\n")),
    "no lines": lambda: ({"content-type": LINES}, repeated(b"\n")),
    "rows without columns": lambda: ({"content-type": CSV}, repeated(b"\n")),
    "columns": lambda: ({"content-type": CSV}, repeated(b",")),
    "rows of nothing": lambda: ({"content-type": CSV}, repeated(b",\n")),
    "rows": lambda: ({"content-type": CSV}, repeated(b"1,\n")),
    "a shape": lambda: ({"content-type": NPY}, npy(np.zeros((1, 4, 3))).replace(b"(1, 4, 3)", b"(9999999, 4, 3)")),
    "npz": lambda: ({"content-type": NPZ}, npz(image=np.zeros(2**25, np.uint8))),
    "tensors": lambda: ({}, tensors(b'{"name":"","shape":[1],"datatype":"FP32","data":[]}')),
    "a tensor's shape": lambda: ({}, tensors(b'{"name":"x","shape":[4294967295,4,3],"datatype":"FP32","data":[1]}')),
    "answers": lambda: ({}, answers()),
    "pixels": lambda: ({"content-type": "image/png"}, picture("PNG", "L", (4_100, 3_900))),
    "deep pixels": lambda: ({"content-type": "image/png"}, picture("PNG", "I;16", (1_000, 1_000))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_body_fills_the_memory(name: str) -> None:
    sent = BOMBS[name]()
    for kind in VALID:
        tracemalloc.start()
        try:
            outcome(kind, sent)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < FACTOR * len(sent[1]) + CONSTANT_BYTES, f"{kind}: {peak} bytes for {len(sent[1])}"
