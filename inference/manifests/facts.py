"""What `python -m inference --check FOLDER` prints of an artifact: one name and one line a fact."""

from collections.abc import Iterator

from inference.artifact import Artifact, ExportFacts, GateVerdict, InputSchema
from inference.manifests.table import Column

SHOWN_COLUMNS = 12


def facts(artifact: Artifact, seconds: dict[str, float]) -> Iterator[tuple[str, str]]:
    """(name, fact) pairs; `seconds` of one call of each program, as the proof has measured them."""
    manifest = artifact.manifest
    yield "artifact", f"{artifact.version} in {artifact.folder}"
    yield "task", manifest.task
    yield "input", _input(manifest.input)
    if manifest.labels:
        yield "labels", " ".join(manifest.labels)
    if manifest.latent:
        yield "latent", f"{manifest.latent} numbers"
    yield "preprocessing", _numbers(manifest.preprocessing) or "none"
    yield "metrics", _numbers(manifest.metrics)
    yield "gate", _gate(manifest.gate)
    for program, file in manifest.programs.items():
        yield program, f"{file}, {seconds[program] * 1e3:.2f} ms a call here"
    for file, export in manifest.exports.items():
        yield "export", f"{file}: {_export(export)}"
    yield "made with", " ".join(f"{name} {version}" for name, version in manifest.versions.items())
    yield "files", " ".join(f"{name} ({record.size_bytes} bytes)" for name, record in manifest.files.items())
    yield "examples", f"{len(manifest.examples)} answered as recorded"


def _input(schema: InputSchema) -> str:
    text = f"{schema.name}: {schema.kind}, {schema.dtype} {list(schema.shape)}"
    if schema.minimum is not None and schema.maximum is not None:
        text += f" from {schema.minimum:g} to {schema.maximum:g}"
    if schema.columns:
        shown = ", ".join(map(_column, schema.columns[:SHOWN_COLUMNS]))
        more = len(schema.columns) - SHOWN_COLUMNS
        text += f": {shown}" + (f" and {more} more" if more > 0 else "")
    return text


def _column(column: Column) -> str:
    return f"{column.name} ({len(column.categories)} categories)" if column.categories else column.name


def _gate(gate: GateVerdict) -> str:
    checks = ", ".join(
        f"{check.metric} {check.value:.4f} {check.rule} {check.limit:g}{'' if check.passed else ' is not so'}"
        for check in gate.checks
    )
    return f"{'passed' if gate.passed else 'refused'}: {checks or 'it asked for nothing'}"


def _export(export: ExportFacts) -> str:
    same = "" if export.agreement is None else f", {export.agreement:.2%} of the labels the same"
    return (
        f"{export.format} {export.precision}, {export.size_bytes} bytes, {export.seconds_per_example * 1e3:.3f} ms an "
        f"example, at most {export.max_difference:.2g} from the trained model (tolerance {export.tolerance:g}){same}"
    )


def _numbers(values: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.4f}" for name, value in values.items())
