"""One training job from its data to its artifact, phase by phase; the seconds of each go into metrics.json."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from inference import artifact
from training import gate, models
from training.checkpoint import CheckpointStore
from training.config import TrainingConfig
from training.data import Digits, load_digits
from training.environment import JobPaths
from training.errors import GateError
from training.evaluate import Evaluation, evaluate
from training.exporter import Exporter
from training.loop import LoopState, fit
from training.machine import raise_malloc_thresholds, training_threads
from training.publish import publish
from training.signals import StopFlag

Report = Callable[[str], None]


class Phases:
    """Seconds spent in each named phase."""

    def __init__(self, **already: float) -> None:
        self.seconds = dict(already)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the block's wall-clock time to phase `name`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def run_job(config: TrainingConfig, paths: JobPaths, stop: StopFlag, report: Report, import_seconds: float) -> None:
    """Train, evaluate, judge, publish. Raises the errors of training.errors; leaves no process behind."""
    artifact.remove(paths.model)
    raise_malloc_thresholds()
    exporter = Exporter(config)  # before the first tensor operation
    try:
        _run(config, paths, stop, report, Phases(**{"import": import_seconds}), exporter)
    finally:
        exporter.close()


def _run(
    config: TrainingConfig, paths: JobPaths, stop: StopFlag, report: Report, phases: Phases, exporter: Exporter
) -> None:
    with phases.time("data"):
        digits = load_digits(paths.channel)
    with phases.time("train"):
        state = _train(config, paths, digits, stop, report)
    with phases.time("evaluate"):
        scores = _scores(state, digits)
        evaluation = evaluate(scores, digits.test_targets, models.LABELS)
    report(f"test_accuracy={evaluation.accuracy:.4f} test_loss={evaluation.loss:.4f}")
    verdict = gate.judge(evaluation.accuracy, config.min_accuracy)
    report(gate.log_line(verdict))
    if not verdict.passed:
        _write_metrics(paths, evaluation, verdict, phases)
        raise GateError(gate.refusal(verdict))
    with phases.time("export"):
        written = publish(paths.model, state.model, digits, scores, evaluation, verdict, exporter)
    _write_metrics(paths, evaluation, verdict, phases)
    timings = " ".join(f"{name}_seconds={seconds:.2f}" for name, seconds in phases.seconds.items())
    report(f"artifact={written.version} {timings}")


def _train(config: TrainingConfig, paths: JobPaths, digits: Digits, stop: StopFlag, report: Report) -> LoopState:
    threads = training_threads()
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = models.build(config.model, config.width, config.seed).to(device)
    state = LoopState.create(model, config)
    store = CheckpointStore(folder=paths.checkpoints, identity=config.identity(digits.sha256), report=report)
    checkpoint = store.newest()
    if checkpoint is not None:
        state.restore(checkpoint)
    parameters = sum(p.numel() for p in model.parameters())
    report(
        f"model={config.model} parameters={parameters} device={device.type} threads={threads} "
        f"train_images={len(digits.train_images)} test_images={len(digits.test_images)} first_step={state.step + 1}"
    )
    images = (digits.train_images * models.PIXEL_SCALE).to(device)
    fit(state, images, digits.train_targets.to(device), config, store=store, stop=stop, report=report)
    return state


def _scores(state: LoopState, digits: Digits) -> Tensor:
    """Scores of the test images, float32 (N, classes) on the CPU, computed as the artifact will compute them."""
    served = models.Served(state.model.cpu()).eval()
    with torch.inference_mode():
        scores: Tensor = served(digits.test_images)
    return scores


def _write_metrics(paths: JobPaths, evaluation: Evaluation, verdict: artifact.GateVerdict, phases: Phases) -> None:
    paths.output_data.mkdir(parents=True, exist_ok=True)
    document = {
        **evaluation.as_dict(),
        "gate": {"passed": verdict.passed, "min_accuracy": verdict.minimum},
        "seconds": {name: round(seconds, 4) for name, seconds in phases.seconds.items()},
    }
    (paths.output_data / "metrics.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
