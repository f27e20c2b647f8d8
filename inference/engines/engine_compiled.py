"""PyTorch's compiler: the exported programs through torch.compile, which takes seconds to minutes at every start.

It needs a C++ compiler beside it, or a GPU. Worth it for large models on GPUs; on CPUs ONNX Runtime is as fast for the
convolutional models measured here and starts at once.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from inference.artifact import Artifact
from inference.engines.engine import Batch, Output, Program
from inference.manifests.fields import ArtifactError

if TYPE_CHECKING:
    from torch import Tensor

SIZES = (2, 3)  # a batch of one is a special case for the compiler; two other sizes make it choose a dynamic one


class CompiledEngine:
    """Exported programs, compiled for any batch size."""

    def __init__(self, artifact: Artifact, threads: int) -> None:
        """Compiles at once; raises ArtifactError where that fails."""
        import torch

        torch.set_num_threads(threads)
        self.name = f"torch.compile {torch.__version__}"
        self.programs: Mapping[str, Program] = {name: _program(artifact, name) for name in artifact.manifest.programs}

    def run(self, program: str, batch: Batch) -> Output:
        """The outputs of `program`."""
        return self.programs[program](batch)


def _program(artifact: Artifact, name: str) -> Program:
    import torch

    from inference.engines.program_archive import Archive
    from inference.engines.program_fallback import load_with_torch_export

    manifest = artifact.manifest
    try:
        with Archive(artifact.path(name)) as archive:
            compiled = torch.compile(load_with_torch_export(archive), dynamic=True)

        def run(batch: Batch) -> Output:
            with torch.inference_mode():
                outputs: Tensor = compiled(torch.from_numpy(batch))
            return outputs.numpy()

        shape = (manifest.latent,) if name == "decode" else manifest.input.shape
        dtype = torch.int64 if manifest.input.tokenizer else torch.float32
        for size in SIZES:
            run(torch.zeros(size, *shape, dtype=dtype).numpy())
    except Exception as error:  # the compilers raise everything there is
        raise ArtifactError(
            f"torch.compile cannot compile the program {name!r} here ({type(error).__name__}: {str(error)[:300]}); it "
            "needs a C++ compiler; unset SLIPWAY_ENGINE to serve without"
        ) from error
    return run
