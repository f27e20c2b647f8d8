"""One exported form, loaded the way a server loads it: is it the trained model, how large and how fast is it?"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference import artifact
from training.export.errors import ExportError, first_line
from training.export.forms import Form
from training.export.parity import Outputs, Reference, compare
from training.export.sources import AT_ONCE
from training.export.speed import Speed, measure


@dataclass(frozen=True, kw_only=True)
class Proven:
    """A file that holds a program, its facts, and its outputs for the reference's inputs."""

    file: str
    facts: artifact.ExportFacts
    outputs: Outputs
    speed: Speed

    def log_line(self) -> str:
        """For people and for metric regexes."""
        facts = self.facts
        agreement = "" if facts.agreement is None else f"agreement={facts.agreement:.4f} "
        return (
            f"export={self.file} precision={facts.precision} max_difference={facts.max_difference:.2g} {agreement}"
            f"size_bytes={facts.size_bytes} seconds_per_example={self.speed.alone:.2g} "
            f"examples_per_second={1 / self.speed.at_once:.0f}"
        )


def prove(
    form: Form, folder: Path, draft: artifact.Manifest, references: Mapping[str, Reference], share: float
) -> dict[str, Proven]:
    """Program -> its file in `folder`, proven; raises ExportError where it cannot be run or differs by too much.

    `draft` is any manifest of the model; `share` is the option max_export_difference.
    """
    programs = {program: form.file_name(program) for program in references}
    candidate = artifact.Artifact(folder=folder, manifest=dataclasses.replace(draft, programs=programs), version="")
    return {name: _proven(form, name, candidate, references[name], share) for name in programs}


def _run(form: Form, candidate: artifact.Artifact, name: str, inputs: NDArray[Any]) -> Outputs:
    try:
        parts = [candidate.run(name, inputs[first : first + AT_ONCE]) for first in range(0, len(inputs), AT_ONCE)]
    except Exception as error:  # runtimes raise what they like for a graph that they cannot run
        raise ExportError(
            f"{form} program {name!r} was written but does not run: {first_line(error)}; leave it out of the option "
            "formats, or set served_precision to fp32"
        ) from error
    outputs: Outputs = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return outputs


def _proven(form: Form, name: str, candidate: artifact.Artifact, reference: Reference, share: float) -> Proven:
    run = partial(_run, form, candidate, name)
    parity = compare(form, name, run, reference, share)
    speed = measure(run, reference.inputs)
    facts = artifact.ExportFacts(
        format=form.format,
        precision=form.precision,
        max_difference=parity.max_difference,
        agreement=parity.agreement,
        tolerance=parity.tolerance,
        seconds_per_example=speed.alone,
        size_bytes=candidate.path(name).stat().st_size,
    )
    return Proven(file=candidate.path(name).name, facts=facts, outputs=parity.outputs, speed=speed)
