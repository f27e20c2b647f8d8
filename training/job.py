"""One training job from its data to its artifact, phase by phase; the seconds of each go into metrics.json.

    data -> train -> evaluate -> gate -> export -> report

Of several processes all train; the main one alone evaluates and writes. Two helpers work beside the loop: one traces
the model for the export, one warms up the plots of the report.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from inference import artifact
from training import models, processes
from training.config import TrainingConfig
from training.data import DataSet, Host, load
from training.environment import JobPaths, channel_is_sharded, read_cluster
from training.errors import GateError
from training.export.exporter import Exporter
from training.export.forms import chosen
from training.export.publish import Trained as ForManifest
from training.export.publish import publish
from training.export.sources import EstimatorSource, NetworkSource, Source
from training.held_out import with_all_rows_held_out
from training.helper import Helper
from training.machine import raise_malloc_thresholds
from training.network import Blueprint, untrained_programs
from training.processes import Processes
from training.progress import Progress, silent
from training.quality import Pictures, ReportData, check_limits, warm, write_report
from training.signals import StopFlag
from training.tasks import quality_inputs
from training.train import Trainer
from training.verdict import GENERATION, Judged, Verdict, pictures, reach, report_data, write_metrics


@dataclass(kw_only=True)
class Phases:
    """Seconds spent in each named phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the block's wall-clock time to phase `name`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


History = Sequence[Mapping[str, float]]


def run_job(config: TrainingConfig, paths: JobPaths, stop: StopFlag, import_seconds: float) -> None:
    """Train, evaluate, judge, publish. Raises the errors of training.errors; leaves no process behind."""
    check_limits(config.data.task, config.gate)
    raise_malloc_thresholds()
    entry, is_main = models.get(config.model.model), processes.is_main()
    if is_main:
        artifact.remove(paths.model)
    with ExitStack() as cleanup:
        # Both before the first tensor operation and before the processes meet: threads do not survive a fork.
        exporter = reporter = None
        if is_main and not entry.is_estimator:
            exporter = cleanup.enter_context(closing(Exporter(chosen(config.export), untrained_programs)))
        if is_main and config.export.report:
            reporter = cleanup.enter_context(Helper("report", warm, partial(_report, paths.output_data)))
        me = processes.join()
        cleanup.callback(processes.leave, me)
        phases = Phases(seconds={"import": import_seconds})
        with phases.time("data"):
            cluster, sharded = read_cluster(paths), channel_is_sharded(paths)
            data = load(
                paths.channel, config.data, Host(index=cluster.index, count=len(cluster.hosts), sharded=sharded)
            )
            data = with_all_rows_held_out(data, me) if sharded and len(cluster.hosts) > 1 else data
        progress = Progress() if is_main else silent()
        for note in data.notes:
            progress.say(f"note: {note}")
        job = Job(
            config=config,
            paths=paths,
            data=data,
            processes=me,
            phases=phases,
            progress=progress,
            reporter=reporter,
        )
        if entry.is_estimator:
            job.fit(entry)
        else:
            job.train(exporter, stop, hosts=len(cluster.hosts) if sharded else 1)


def _report(folder: Path, _: None, data: ReportData) -> None:
    write_report(folder, data)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What every phase needs."""

    config: TrainingConfig
    paths: JobPaths
    data: DataSet
    processes: Processes
    phases: Phases
    progress: Progress
    reporter: Helper | None

    def train(self, exporter: Exporter | None, stop: StopFlag, *, hosts: int) -> None:
        """A network, in the loop; the main process goes on to the artifact."""
        plan = Blueprint.of(self.config, self.data, self.processes)
        if exporter is not None:
            exporter.trace(plan.as_bytes())
        trainer = Trainer(
            config=self.config,
            data=self.data,
            processes=self.processes,
            checkpoints=self.paths.checkpoints,
            stop=stop,
            progress=self.progress,
            hosts=hosts,
            watch=exporter.check if exporter is not None else None,
        )
        with self.phases.time("train"):
            trained = trainer.train(plan.build(self.processes.device))
        if exporter is None:
            return
        with self.phases.time("evaluate"):
            network = plan.build(torch.device("cpu"))  # whole, where the trained one may hold shards
            network.model.load_state_dict(trained.weights)
            programs = network.programs()
            outputs, targets = quality_inputs(network.task, programs, self.data.test, torch.device("cpu"))
            shown = pictures(programs, self.data, self.config.model.latent)
        self._finish(
            Judged(outputs=outputs, targets=targets), NetworkSource(programs, exporter), trained.history, shown
        )

    def fit(self, entry: models.ModelEntry) -> None:
        """An estimator of scikit-learn, in one go."""
        self.progress.say(
            f"model={entry.name} train_examples={self.data.train.rows} test_examples={self.data.test.rows}"
        )
        with self.phases.time("train"):
            fitted = entry.fit(self.data, self.config)
        with self.phases.time("evaluate"):
            outputs, targets = fitted.quality_inputs(self.data.test)
        self._finish(Judged(outputs=outputs, targets=targets), EstimatorSource(fitted, self.config.export), [], None)

    def _finish(self, judged: Judged, source: Source, history: History, shown: Pictures | None) -> None:
        """Gate, artifact, report, metrics. Raises GateError, with the report and the metrics written."""
        config, data, phases = self.config, self.data, self.phases
        verdict = reach(config, data, self.paths, judged, self.progress.say)
        with self._reporting(verdict, history, shown):
            if not verdict.gate.passed:
                raise GateError(verdict.refusal)
            with phases.time("export"):
                facts = ForManifest(
                    data=data,
                    metrics=verdict.quality.metrics(),
                    gate=verdict.gate,
                    latent=config.model.latent if data.task == GENERATION else 0,
                )
                written = publish(self.paths.model, facts, source, config.export, self.progress.say)
        timings = " ".join(f"{name}_seconds={seconds:.2f}" for name, seconds in phases.seconds.items())
        self.progress.say(f"artifact={written.version} {timings}")

    @contextmanager
    def _reporting(self, verdict: Verdict, history: History, shown: Pictures | None) -> Iterator[None]:
        """The helper draws the report meanwhile; metrics.json is written at the end, exported or not."""
        with ThreadPoolExecutor(1) as waiting:
            drawn = None
            if self.reporter is not None:
                data = report_data(self.config, self.data, verdict, history, self.phases.seconds, shown)
                drawn = waiting.submit(self.reporter.ask, data)
            try:
                yield
            finally:
                with self.phases.time("report"):
                    if drawn is not None:
                        drawn.result()
                write_metrics(self.paths, self.config, self.data, verdict, history, self.phases.seconds)
