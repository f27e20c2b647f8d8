"""Early stopping of tuning jobs, the objective of a job that prints it often, and the limits of Hyperband."""

import re
import socket
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.sagemaker import sampling
from localaws.sagemaker.early_stopping import is_hopeless
from tests.unit.localaws.aws import Aws, wait_for
from tests.unit.localaws.test_distributed import BEGIN, lines
from tests.unit.localaws.test_tuning import children, done, tune

# Prints x, 2x, 3x, one an epoch; with patience 0 and a poor x it does not get beyond its first epoch by itself.
EPOCHS = """#!/usr/bin/env python3
import json, os, pathlib, threading
ml = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
given = json.loads((ml / "input/config/hyperparameters.json").read_text())
for epoch in (1, 2, 3):
    print(f"test:score={epoch * float(given['x'])};", flush=True)
    if given["patience"] == "0" and float(given["x"]) < 2: threading.Event().wait()
"""
WAVERING = "#!/bin/sh\necho 'test:score=0.9;'\necho 'test:score=nan;'\necho 'test:score=0.5;'\n"
# The last host prints its objective when somebody connects to it: after all others have ended.
IN_TURN = """
if rank == 0:
    print("test:score=0.9;")
    sys.exit()
server = socket.create_server(("127.0.0.1", 0))
say("listening at", server.getsockname()[1])
server.accept()
print("test:score=0.2;")
"""
ONE_BY_ONE = {"MaxParallelTrainingJobs": 1}


def grid(values: list[str], early: str, patience: str) -> dict[str, Any]:
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": values}]}
    config = {"Strategy": "Grid", "ResourceLimits": ONE_BY_ONE, "TrainingJobEarlyStoppingType": early}
    return {"ranges": ranges, "config": config, "definition": {"StaticHyperParameters": {"patience": patience}}}


@pytest.mark.parametrize(
    ("values", "completed", "maximize", "hopeless"),
    [
        ([0.4], [[0.5, 9.0]], True, True),  # only what the others had come to by the same epoch counts
        ([0.9, 0.4], [[0.1, 0.5], [0.5, 0.3]], True, False),  # the averages are 0.3 and 0.4, their median 0.35
        ([0.9, 0.34], [[0.1, 0.5], [0.5, 0.3]], True, True),  # the value counts, not the job's own average or best
        ([0.9, 0.34], [[0.1, 0.5], [0.5, 0.3]], False, False),
        ([0.5], [[0.5]], True, False),  # as good is not worse
        ([0.5], [[0.5]], False, False),
        ([1.0, 1.0, 0.1], [[0.5], []], True, True),  # jobs with fewer epochs count with those they had
        ([0.1], [], True, False),
        ([0.1], [[]], True, False),
    ],
)
def test_the_median_of_the_running_averages(
    values: list[float], completed: list[list[float]], maximize: bool, hopeless: bool
) -> None:
    """Guide, "Stop Training Jobs Early": worse than the median of the previous jobs' running averages at the epoch."""
    assert is_hopeless(values, completed, maximize=maximize) is hopeless


def test_a_hopeless_job_is_stopped_and_the_search_goes_on(aws: Aws) -> None:
    """Guide, "Stop Training Jobs Early"; API reference, TrainingJobStatusCounters and ObjectiveStatusCounters.

    A stopped job counts toward MaxNumberOfTrainingJobs, and its latest objective is used.
    """
    name = tune(aws, aws.image({"train": EPOCHS}), **grid(["3", "1", "5"], "Auto", "0"))
    job = done(aws, name)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    counters = {"Completed": 2, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 1}
    assert job["TrainingJobStatusCounters"] == counters
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"x": "5"}
    poor = children(aws, name)[1]
    assert (poor["TrainingJobStatus"], aws.job(poor["TrainingJobName"])["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert poor["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 1.0


def test_nothing_is_stopped_early_unless_asked_for(aws: Aws) -> None:
    """API reference, HyperParameterTuningJobConfig: TrainingJobEarlyStoppingType is Off by default."""
    job = done(aws, tune(aws, aws.image({"train": EPOCHS}), **grid(["3", "1"], "Off", "1")))
    assert job["TrainingJobStatusCounters"]["Completed"] == 2


def test_the_objective_is_the_latest_value_not_the_best(aws: Aws) -> None:
    """API reference, FinalHyperParameterTuningJobObjectiveMetric: the latest objective metric emitted by a job.

    What is no finite number is no value: CloudWatch takes none either (PutMetricData).
    """
    limits, image = {"MaxNumberOfTrainingJobs": 1}, aws.image({"train": WAVERING})
    metric = {"Name": "test:score", "Regex": "test:score=(.*?);"}
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File", "MetricDefinitions": [metric]}
    job = done(aws, tune(aws, image, limits=limits, definition={"AlgorithmSpecification": algorithm}))
    best = job["BestTrainingJob"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.5
    found = aws.job(best["TrainingJobName"])["FinalMetricDataList"]
    assert [(item["MetricName"], item["Value"]) for item in found] == [("test:score", 0.5)]


def test_of_several_instances_the_last_report_is_the_objective(aws: Aws) -> None:
    """Guide, "Best Practices for Hyperparameter Tuning": the metric reported by the last running instance counts."""
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    limits = {"MaxNumberOfTrainingJobs": 1}
    image = aws.image({"train": BEGIN + IN_TURN})
    name = tune(aws, image, limits=limits, definition={"ResourceConfig": resources})
    child = wait_for(lambda: children(aws, name), "the training job")[0]["TrainingJobName"]
    port = next(found for line in lines(aws, child, 2) if (found := re.search(r"listening at (\d+)", line)))[1]
    socket.create_connection(("127.0.0.1", int(port))).close()
    best = done(aws, name)["BestTrainingJob"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.2


def test_consumed_resources_are_wall_clock_time(stepped: Aws) -> None:
    """API reference, HyperParameterTuningJobConsumedResources: the wall clock runtime of the tuning job."""
    aws = stepped
    waiting = "#!/usr/bin/env python3\nimport threading\nprint('test:score=1;', flush=True)\nthreading.Event().wait()\n"
    name = tune(aws, aws.image({"train": waiting}))
    for child in wait_for(lambda: len(found := children(aws, name)) == 2 and found, "two jobs at a time"):
        lines(aws, child["TrainingJobName"], 1)
    aws.post("/_localaws/clock", {"advance_seconds": 100})
    aws.client("sagemaker").stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert 100 <= done(aws, name)["ConsumedResources"]["RuntimeInSeconds"] < 110


RANGE = {"IntegerParameterRanges": [{"Name": "x", "MinValue": "1", "MaxValue": "9"}]}


@pytest.mark.parametrize(
    ("config", "static", "message"),
    [
        ({"TrainingJobEarlyStoppingType": "Auto"}, {"epochs": "5"}, "TrainingJobEarlyStoppingType must be Off"),
        ({}, {}, "Hyperband needs MaxResource in HyperbandStrategyConfig, or .* epochs, numepochs"),
        ({}, {"epochs": "20001"}, "MaxResource is 20001; it must lie between MinResource, 1, and 20000"),
        (
            {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 9, "MaxResource": 3}}},
            {},
            "MaxResource is 3; it must lie between MinResource, 9",
        ),
        ({"Strategy": "Bayesian", "StrategyConfig": {}}, {}, "StrategyConfig is for the strategy Hyperband only"),
    ],
)
def test_what_hyperband_needs_and_refuses(
    aws: Aws, config: dict[str, Any], static: dict[str, str], message: str
) -> None:
    """API reference, HyperParameterTuningJobConfig and HyperbandStrategyConfig."""
    with pytest.raises(ClientError, match=rf"(?s)ValidationException.*{message}"):
        tune(
            aws,
            aws.image({}),
            ranges=RANGE,
            config={"Strategy": "Hyperband", **config},
            definition={"StaticHyperParameters": static},
        )


@pytest.mark.parametrize("strategy", ["Bayesian", "Hyperband", "Random"])
def test_every_strategy_draws_from_all_kinds_of_ranges(aws: Aws, strategy: str) -> None:
    """API reference, HyperParameterTuningJobStrategyType."""
    scale = {"MinValue": "0.001", "MaxValue": "0.9", "ScalingType": "ReverseLogarithmic"}
    ranges = {
        **RANGE,
        "ContinuousParameterRanges": [{"Name": "momentum", **scale}],
        "CategoricalParameterRanges": [{"Name": "model", "Values": ["cnn", "mlp"]}],
    }
    static = {"epochs": "3", "patience": "1"}
    limits = {"MaxNumberOfTrainingJobs": 2}
    image = aws.image({"train": EPOCHS})
    name = tune(
        aws,
        image,
        ranges=ranges,
        limits=limits,
        config={"Strategy": strategy},
        definition={"StaticHyperParameters": static},
    )
    assert done(aws, name)["TrainingJobStatusCounters"]["Completed"] == 2
    for child in children(aws, name):
        tuned = child["TunedHyperParameters"]
        assert int(tuned["x"]) in range(1, 10)
        assert 0.001 <= float(tuned["momentum"]) <= 0.9
        assert tuned["model"] in ("cnn", "mlp")


def test_equal_values_are_one_combination() -> None:
    """Guide, "How Hyperparameter Tuning Works": Grid runs the distinct combinations."""
    twice = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "1"]}]}
    point = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "1", "MaxValue": "1.0"}]}
    assert [sampling.combinations(ranges) for ranges in (twice, point)] == [1, 1]
    assert list(sampling.samples("Grid", twice, 0)) == [{"x": "1"}]
    assert list(sampling.samples("Random", point, 0)) == [{"x": "1.0"}]
