"""Export beside the training: a helper process traces the model while the loop trains it.

Tracing imports the compiler stack (a second) and traces (0.4 s), but needs only the model's structure. So a child is
forked right after `import torch`; it exports the untrained model, waits for the trained weights, puts them in and
writes `model.pt2`. The parent never imports any of it, and after the last step only the writing is left.
"""

import ctypes
import gc
import io
import multiprocessing
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import Tensor, nn

from training import models
from training.config import TrainingConfig
from training.data import IMAGE_SHAPE

# fork shares the imported torch; elsewhere it is unsafe after frameworks have started threads, or does not exist.
CONTEXT = multiprocessing.get_context("fork") if sys.platform == "linux" else multiprocessing.get_context("spawn")
PR_SET_PDEATHSIG = 1  # linux/prctl.h
EXPORT_TIMEOUT_SECONDS = 300.0
JOIN_TIMEOUT_SECONDS = 10.0


class ExportError(Exception):
    """The model could not be exported; the message ends with the helper's traceback."""


class Exporter:
    """A running helper process for the model of `config`; always `close` it.

    Start it before the first tensor operation: OpenMP's threads do not survive a fork.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self._connection, theirs = CONTEXT.Pipe()
        arguments = (theirs, self._connection if CONTEXT.get_start_method() == "fork" else None, config)
        self._process = CONTEXT.Process(target=_work, args=arguments, daemon=True)
        sys.stdout.flush()
        sys.stderr.flush()
        self._process.start()
        theirs.close()

    def export(self, weights: dict[str, Tensor], path: Path) -> None:
        """Write the program with the trained `weights` (a state_dict of the model) to `path`; raises ExportError."""
        buffer = io.BytesIO()
        torch.save({"path": str(path), "weights": {name: tensor.cpu() for name, tensor in weights.items()}}, buffer)
        try:
            self._connection.send_bytes(buffer.getvalue())
            if not self._connection.poll(EXPORT_TIMEOUT_SECONDS):
                raise ExportError(f"the exporter gave no answer in {EXPORT_TIMEOUT_SECONDS:g} s")
            answer = self._connection.recv_bytes().decode()
        except (EOFError, OSError) as error:
            self._process.join(JOIN_TIMEOUT_SECONDS)
            raise ExportError(f"the exporter ended early with exit code {self._process.exitcode}") from error
        if answer:
            raise ExportError(answer)

    def close(self) -> None:
        """End the helper, finished or not, and reap it."""
        self._connection.close()
        self._process.kill()
        self._process.join(JOIN_TIMEOUT_SECONDS)
        self._process.close()


def _work(connection: Connection, parents_end: Connection | None, config: TrainingConfig) -> None:
    """The helper's life: trace, wait for the weights, write, answer with an empty string or a traceback."""
    if parents_end is not None:
        parents_end.close()  # else the end of the parent would never be seen
    _die_with_parent()
    try:
        gc.disable()  # collecting during the imports costs a third of their time, and this process is short
        torch.set_num_threads(1)
        model = models.build(config.model, config.width, config.seed).to(memory_format=torch.contiguous_format)
        program = trace(models.Served(model))
        torch.export.save(program, io.BytesIO())  # imports the writer now rather than after the last step
        request = torch.load(io.BytesIO(connection.recv_bytes()), weights_only=True)
        model.load_state_dict(request["weights"])  # in place: the program holds the same tensors
        torch.export.save(program, request["path"])
        answer = ""
    except EOFError:
        return  # the parent needs no export
    except Exception:  # whatever went wrong belongs to the parent, which reports it as the job's failure
        answer = traceback.format_exc()
    connection.send_bytes(answer.encode())


def trace(served: nn.Module) -> "torch.export.ExportedProgram":
    """Export `served` for float32 (N, 8, 8) with any N >= 1, without the paths of the machine that traced it."""
    served.eval()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(served, (torch.zeros(2, *IMAGE_SHAPE),), dynamic_shapes=({0: batch},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    program.example_inputs = None  # they would be stored as a pickle
    return program


def _die_with_parent() -> None:
    """Stop signals may go to the whole process group, but only the parent decides; and no parent means no purpose."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
