"""From the model folder to something that can be served, whatever lies in it."""

import asyncio
import gc
import logging
from dataclasses import replace
from pathlib import Path

from inference.machine import keep_freed_memory, threads_for, uses_gpu, workers_for
from inference.processes.worker import Startable
from inference.settings import Settings

log = logging.getLogger(__name__)


def can_be_shared(settings: Settings) -> bool:
    """Whether a model may be loaded once and be served by processes forked after.

    Neither a GPU's context nor threads survive a fork, those of the arithmetic and those that a user's code may start.
    """
    from inference.user_code.model import has_user_code

    if settings.multi_model or uses_gpu(settings) or threads_for(settings) > 1:
        return False
    return not has_user_code(settings.model_folder)


def load_model(settings: Settings, loop: asyncio.AbstractEventLoop | None = None) -> Startable:
    """Load what SAGEMAKER_BASE_DIR holds; raises ArtifactError. A user's async functions run on `loop`, given one."""
    keep_freed_memory()
    if settings.multi_model:
        from inference.many_models.container import Container

        return Container(settings, load_folder)
    gc.disable()  # collecting during the import of torch costs a fifth of it, and finds nothing
    try:
        return load_folder(settings, settings.model_folder, loop)
    finally:
        gc.freeze()  # nor will anything be found among the modules later
        gc.enable()


def load_folder(settings: Settings, folder: Path, loop: asyncio.AbstractEventLoop | None = None) -> Startable:
    """Load the model in `folder`: a user's code, or an artifact of ours."""
    from inference import artifact_model
    from inference.user_code import model as user_model

    if user_model.has_user_code(folder):
        threads = threads_for(settings)
        return user_model.load(folder, loop=loop, max_batch=settings.max_batch, threads=threads)
    return artifact_model.prepare(replace(settings, model_folder=folder))


def announce(model: Startable, settings: Settings) -> None:
    """Say in the log what is served, and how."""
    log.info("loaded %s; workers: %d, threads of each: %d", model, workers_for(settings), threads_for(settings))
