"""Run what inference.engines.program cannot read by torch.export itself, from a copy that holds no code.

`torch.export.load` is not made for files of strangers: it unpickles sample inputs, evaluates the expressions of
symbolic sizes as Python, writes names into the source of a function, compiles guards and loads shared libraries. So it
gets a new archive in memory with the graph and the raw weights only, in which every string was compared with what
torch writes. It is slow to start (it imports the tracer and the compiler), and gives the same answers.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from inference.engines.program_archive import MODEL, TABLES, Archive

ROOT = "archive/"
SAMPLE_INPUTS = "data/sample_inputs/model.pt"
PLAIN_FILES = ("archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id")
ONE_TENSOR = '{"type": null, "context": null, "children_spec": []}'
IN_SPEC = (
    '[1, {"type": "builtins.tuple", "context": "null", "children_spec": [{"type": "builtins.tuple", "context": "null", '
    f'"children_spec": [{ONE_TENSOR}]}}, {{"type": "builtins.dict", "context": "[]", "children_spec": []}}]}}]'
)
OUT_SPEC = f"[1, {ONE_TENSOR}]"
_TEXT = re.compile(r"[A-Za-z0-9_., >\-]{0,1000}")  # names, and equations of einsum: nothing that Python would call
_TARGET = re.compile(
    r"torch\.ops\.(aten\.(?!from_file\.)|higher_order\.)[a-z0-9_.A-Z]+|_operator\.[a-z_]+|torch\.sym_[a-z]+"
)
_EXPRESSION = re.compile(r"[A-Za-z0-9_ ,()='*+\-/<>]{1,2000}")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYMBOL = re.compile(r"[su][0-9]+")
_WORDS = {
    *("Symbol", "Integer", "Rational", "Add", "Mul", "Pow", "Mod", "Min", "Max", "And", "Or", "Not", "Eq", "Ne"),
    *("FloorDiv", "CeilDiv", "CleanDiv", "PythonMod", "GreaterThan", "StrictGreaterThan", "LessThan", "StrictLessThan"),
    *("integer", "positive", "nonnegative", "True", "False", "true", "false"),
}


def load_with_torch_export(archive: Archive) -> Callable[[Tensor], Tensor]:
    """The program as a function of one tensor; ValueError where the archive holds what torch would not have written."""
    program: Callable[[Tensor], Tensor] = torch.export.load(_harmless_copy(archive)).module()
    return program


def _harmless_copy(archive: Archive) -> io.BytesIO:
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for name in PLAIN_FILES:
            if name in archive.names:
                target.writestr(ROOT + name, archive.read(name))
        target.writestr(ROOT + MODEL, json.dumps(_harmless_model(archive.model)))
        target.writestr(ROOT + SAMPLE_INPUTS, b"")
        for folder, table in archive.tables.items():
            _check(table, "")
            target.writestr(ROOT + TABLES[folder], json.dumps({"config": table}))
            for file in sorted({folder + entry["path_name"] for entry in table.values()}):
                target.writestr(ROOT + file, archive.read(file))
    copy.seek(0)
    return copy


def _harmless_model(model: dict[str, Any]) -> dict[str, Any]:
    """The model without guards and metadata, with specs that we write ourselves, and every other string checked."""
    call: dict[str, Any] = {
        "inputs": [],
        "outputs": [],
        "in_spec": IN_SPEC,
        "out_spec": OUT_SPEC,
        "forward_arg_names": None,
    }
    module = {
        "graph": _without_metadata(model["graph_module"]["graph"]),
        "signature": model["graph_module"]["signature"],
    }
    kept = {key: model[key] for key in ("opset_version", "range_constraints", "schema_version")}
    _check(module, "")
    _check(kept, "")
    module |= {
        "module_call_graph": [{"fqn": "", "signature": call}],
        "metadata": {},
        "treespec_namedtuple_fields": {},
    }
    return {**kept, "graph_module": module, "verifiers": ["TRAINING"], "torch_version": "<=2.4", "guards_code": []}


def _without_metadata(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_metadata(item) for item in value]
    if isinstance(value, dict):
        return {key: {} if key == "metadata" else _without_metadata(inner) for key, inner in value.items()}
    return value


def _check(value: Any, key: str) -> None:
    """Raise ValueError for a string that could be more than a name; `key` is where it stands."""
    if isinstance(value, dict):
        for inner_key, inner in value.items():
            _check(inner_key, "")
            _check(inner, inner_key)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, key)
    elif isinstance(value, str) and not _is_harmless(value, key):
        raise ValueError(f"the archive holds {value!r:.100} as {key or 'a name'}, which torch.export does not write")


def _is_harmless(text: str, key: str) -> bool:
    if key == "target":
        return _TARGET.fullmatch(text) is not None
    if key == "expr_str":
        words = _WORD.findall(text)
        known = all(word in _WORDS or _SYMBOL.fullmatch(word) for word in words)
        return known and _EXPRESSION.fullmatch(text) is not None
    return _TEXT.fullmatch(text) is not None
