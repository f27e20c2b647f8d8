"""Which engines an artifact can be served by, the one that was fastest when it was made first.

The precision never changes: an artifact that is served in fp32 is not answered in bf16 or int8 because that is faster,
for its answers would be others.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from inference.artifact import Artifact, ArtifactError
from inference.engines.engine import Engine, TorchEngine
from inference.machine import threads_for, uses_gpu
from inference.settings import Settings

SUFFIXES = {"torch": ".pt2", "onnx": ".onnx"}
Make = Callable[[], Engine]


def engines(artifact: Artifact, settings: Settings) -> list[tuple[str, Make]]:
    """(name, function that loads it) in the order to try; raises ArtifactError where the wanted one has no file.

    Loading raises ArtifactError too.
    """
    threads = threads_for(settings)
    formats = {name: _programs(artifact, suffix) for name, suffix in SUFFIXES.items()}
    gpu = uses_gpu(settings)
    makers: dict[str, Callable[[Artifact], Engine]] = {
        "torch": lambda artifact: TorchEngine(artifact, threads),
        "cuda": lambda artifact: _on_gpu(artifact, threads),
        "onnx": lambda artifact: _onnx(artifact, threads),
        "compiled": lambda artifact: _compiled(artifact, threads),
    }
    if settings.engine != "auto":
        programs = formats["onnx" if settings.engine == "onnx" else "torch"]
        if not programs:
            there = ", ".join(name for name, found in formats.items() if found)
            raise ArtifactError(
                f"SLIPWAY_ENGINE is {settings.engine}, but the artifact has programs for {there} only; unset it, or "
                "train with the hyperparameter formats=pt2+onnx"
            )
        names = ["cuda", "torch"] if gpu and settings.engine == "torch" else [settings.engine]
        return [(name, lambda name=name: makers[name](_having(artifact, programs))) for name in names]  # type: ignore[misc]
    found = {name: programs for name, programs in formats.items() if programs}
    order = sorted(found, key=lambda name: _seconds(artifact, found[name]))
    if gpu and "torch" in found:
        found, order = {**found, "cuda": found["torch"]}, ["cuda", *order]
    return [(name, lambda name=name: makers[name](_having(artifact, found[name]))) for name in order]  # type: ignore[misc]


def _programs(artifact: Artifact, suffix: str) -> dict[str, str]:
    """Program -> file of that suffix and of the served precision; empty where one program has none."""
    manifest = artifact.manifest
    found = {}
    for name, served in manifest.programs.items():
        file = str(PurePosixPath(served).with_suffix(suffix))
        if file not in manifest.exports or manifest.exports[file].precision != manifest.exports[served].precision:
            return {}
        found[name] = file
    return found


def _seconds(artifact: Artifact, programs: dict[str, str]) -> float:
    return sum(artifact.manifest.exports[file].seconds_per_example for file in programs.values())


def _having(artifact: Artifact, programs: dict[str, str]) -> Artifact:
    return replace(artifact, manifest=replace(artifact.manifest, programs=programs))


def _on_gpu(artifact: Artifact, threads: int) -> Engine:
    """On the first GPU; ArtifactError where that fails, for the CPU can still serve."""
    try:
        return TorchEngine(artifact, threads, "cuda")
    except Exception as error:  # no driver, no memory, an operator without a kernel: the libraries raise all kinds
        raise ArtifactError(f"the GPU cannot be used ({type(error).__name__}: {str(error)[:200]})") from error


def _onnx(artifact: Artifact, threads: int) -> Engine:
    from inference.engines.engine_onnx import OnnxEngine

    return OnnxEngine(artifact, threads)


def _compiled(artifact: Artifact, threads: int) -> Engine:
    from inference.engines.engine_compiled import CompiledEngine

    return CompiledEngine(artifact, threads)
