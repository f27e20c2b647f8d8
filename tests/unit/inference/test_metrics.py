"""What is counted, in the format that Prometheus reads, summed over the processes."""

import os
import re

from inference.metrics import BATCH, METRIC_NAMES, MODEL, REQUEST, Metrics, SharedTable, end_of_process, process_id

SAMPLE = re.compile(r'(slipway_[a-z_]+)(\{([a-z]+="(\\.|[^"\\])*",?)*\})? (\S+)')


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = {}
    for line in lines:
        matched = SAMPLE.fullmatch(line)
        assert matched, line
        found[line.rsplit(" ", 1)[0]] = float(matched[5])
    return found


def test_every_name_is_there_with_its_type_and_nothing_else() -> None:
    text = Metrics(SharedTable(1)).render({"engine": 'a "quoted"\\\n'}).decode()
    assert set(re.findall(r"^# TYPE (\S+) ", text, re.M)) == METRIC_NAMES
    names = {re.sub(r"_(bucket|sum|count)$", "", name.partition("{")[0]) for name in samples(text)}
    assert names == METRIC_NAMES
    assert 'engine="a \\"quoted\\"\\\\\\n"' in text


def test_processes_are_summed_and_counters_outlive_them() -> None:
    table = SharedTable(2)
    first, second = Metrics(table, 0), Metrics(table, 1)
    for metrics in (first, second, second):
        metrics.outcome("ok")
        metrics.add("connections", 1)
    found = samples(second.render({}).decode())
    assert found['slipway_requests_total{outcome="ok"}'] == 3 and found["slipway_connections"] == 3
    assert process_id(table, 1) == os.getpid()
    end_of_process(table, 1)
    found = samples(Metrics(table, 0).render({}).decode())
    assert found['slipway_requests_total{outcome="ok"}'] == 3 and found["slipway_connections"] == 0
    assert process_id(table, 1) == 0


def test_histograms_count_up_to_each_bound() -> None:
    metrics = Metrics(SharedTable(1))
    for value in (0.5e-5, 1e-5, 0.003, 100.0):
        metrics.observe(MODEL, value)
    metrics.observe(BATCH, 3)
    found = samples(metrics.render({}).decode())
    name = 'slipway_phase_seconds_bucket{phase="model",le="%s"}'
    assert [found[name % bound] for bound in ("1e-05", "2e-05", "0.005", "60", "+Inf")] == [2, 2, 3, 3, 4]
    assert found['slipway_phase_seconds_sum{phase="model"}'] == 100.003015
    assert found['slipway_batch_instances_bucket{le="2"}'] == 0 and found['slipway_batch_instances_bucket{le="4"}'] == 1
    assert found["slipway_request_seconds_count"] == 0 and REQUEST.labels == ""


def test_memory_is_that_of_living_processes() -> None:
    found = samples(Metrics(SharedTable(3)).render({}).decode())
    assert 10 * 2**20 < found["slipway_resident_memory_bytes"] < 4 * 2**30
