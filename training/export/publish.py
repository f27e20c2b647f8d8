"""From a trained model to the artifact in /opt/ml/model, proven by loading it and running it.

    written = publish(paths.model, Trained(...), NetworkSource(programs, exporter), config.export, report)

Each form is written, loaded the way a server loads it and compared with the trained model on held-out examples before
there is an artifact; then the finished artifact is loaded once more and has to give its own recorded answers.
"""

import dataclasses
import importlib.metadata
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference import artifact
from training.data.types import DataSet
from training.export.code_hash import source_sha256
from training.export.errors import ExportError
from training.export.examples import collect
from training.export.forms import INT8
from training.export.parity import Reference
from training.export.proof import Proven, prove
from training.export.rows import spread
from training.export.sources import Source
from training.options import ExportOptions

Report = Callable[[str], None]
CALIBRATION_ROWS = 128  # onnxruntime's own examples measure ranges on 100


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What the manifest says of a run besides its programs. `latent` is the size of a generator's code, else 0."""

    data: DataSet
    metrics: Mapping[str, float]
    gate: artifact.GateVerdict
    latent: int = 0
    preprocessing: Mapping[str, float] = field(default_factory=dict)


def publish(
    folder: Path, trained: Trained, source: Source, options: ExportOptions, report: Report
) -> artifact.Artifact:
    """Write the artifact into `folder` and load it; `report` gets a line for each exported program.

    Raises ExportError, with nothing of it left in `folder`, where a form differs from the trained model by more than
    its tolerance, or HelperError where the exporter ended.
    """
    data = trained.data
    held_out = spread(data.test, data.input)
    references = _references(source, held_out.batch(data.input), are_scores=bool(data.labels))
    draft = _draft(trained, source)
    with tempfile.TemporaryDirectory(prefix="export-") as name:
        scratch = Path(name)
        source.write(_calibration(source, data), scratch)
        proven = [prove(form, scratch, draft, references, options.max_export_difference) for form in source.forms]
        for found in _files(proven):
            report(found.log_line())
        served = proven[0][source.programs[0]]
        rows, recorded = collect(data, held_out, served.outputs, served.facts.tolerance)
        manifest = _completed(draft, proven, recorded)
        try:
            written = artifact.write(folder, manifest, _paths(scratch, proven, data))
            _confirm(written, source.programs[0], held_out.batch(data.input)[rows], served, rows)
        except Exception:
            artifact.remove(folder)  # nothing half-finished may be taken for a model
            raise
    return written


def _references(source: Source, inputs: NDArray[Any], *, are_scores: bool) -> dict[str, Reference]:
    """What the trained model gives for `inputs`, program by program; a second one takes what the first gives."""
    found: dict[str, Reference] = {}
    for program in source.programs:
        outputs = source.outputs(program, inputs)
        found[program] = Reference(inputs=inputs, outputs=outputs, are_scores=are_scores)
        inputs = outputs
    return found


def _calibration(source: Source, data: DataSet) -> dict[str, NDArray[Any]]:
    """Training inputs of each program, where a form needs them."""
    if not any(form.precision == INT8 for form in source.forms):
        return {}
    inputs = spread(data.train, data.input, CALIBRATION_ROWS).batch(data.input)
    return {program: found.inputs for program, found in _references(source, inputs, are_scores=False).items()}


def _draft(trained: Trained, source: Source) -> artifact.Manifest:
    """The manifest as far as it is known before anything is exported."""
    data = trained.data
    return artifact.Manifest(
        task=data.task,
        programs={},
        input=data.input,
        labels=data.labels,
        latent=trained.latent,
        preprocessing=dict(trained.preprocessing),
        metrics=dict(trained.metrics),
        gate=trained.gate,
        code_sha256=source_sha256(),
        data_sha256=data.sha256,
        versions=_versions(source),
        examples=(),
        files={},
        exports={},
    )


def _completed(
    draft: artifact.Manifest, proven: list[dict[str, Proven]], recorded: tuple[artifact.Example, ...]
) -> artifact.Manifest:
    """With what was exported; the first form is served."""
    return dataclasses.replace(
        draft,
        programs={program: found.file for program, found in proven[0].items()},
        exports={found.file: found.facts for found in _files(proven)},
        examples=recorded,
    )


def _files(proven: list[dict[str, Proven]]) -> list[Proven]:
    return [found for programs in proven for found in programs.values()]


def _versions(source: Source) -> dict[str, str]:
    """Of Python and of the packages that made the files."""
    found = {name: importlib.metadata.version(name) for name in source.packages}
    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__, **found}


def _paths(scratch: Path, proven: list[dict[str, Proven]], data: DataSet) -> dict[str, Path]:
    """Name in the artifact -> where the file is now."""
    paths = {found.file: scratch / found.file for found in _files(proven)}
    if data.tokenizer is not None:
        paths[artifact.TOKENIZER_NAME] = scratch / artifact.TOKENIZER_NAME
        data.tokenizer.save(paths[artifact.TOKENIZER_NAME])
    return paths


def _confirm(written: artifact.Artifact, program: str, inputs: NDArray[Any], served: Proven, rows: list[int]) -> None:
    """The finished artifact gives its recorded answers for `inputs`, the `rows` of what was proven; or ExportError."""
    difference = float(np.abs(written.run(program, inputs) - served.outputs[rows]).max())
    if not difference <= served.facts.tolerance:
        raise ExportError(
            f"{written.path(program)} answers its own examples {difference:g} away from what was recorded, allowed is "
            f"{served.facts.tolerance:g}; the file was damaged on its way: check the disk and run the job again"
        )
