"""Tuning jobs: training jobs that really run, what they are given, how they are counted, and what is refused."""

import io
import json
import re
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.errors import AwsError
from localaws.sagemaker import sampling
from tests.unit.localaws.aws import Aws, unique, wait_for

# Prints its objective: the value of x, or nothing, or dies, as y says.
TRAIN = """#!/usr/bin/env python3
import json, os, pathlib
ml = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
given = json.loads((ml / "input/config/hyperparameters.json").read_text())
(ml / "model/given.json").write_text(json.dumps(given))
if given.get("y") == "die": raise SystemExit(3)
if given.get("y") != "silent": print(f"test:score={given['x']};")
"""
WAITING = "#!/usr/bin/env python3\nimport threading\nprint('test:score=1;', flush=True)\nthreading.Event().wait()\n"
METRIC = {"Name": "test:score", "Regex": "test:score=([-+.e0-9]+);"}
X = {"Name": "x", "Values": ["1", "3", "2"]}


@pytest.fixture(scope="module")
def trainer(aws: Aws) -> str:
    return aws.image({"train": TRAIN})


def tune(aws: Aws, image: str, **changes: Any) -> str:
    """Start a tuning job over X; `ranges`, `limits`, `config`, `definition` extend those parts of the request."""
    name = unique("tune")
    request = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "test:score"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2, **changes.pop("limits", {})},
            "ParameterRanges": changes.pop("ranges", {"CategoricalParameterRanges": [X]}),
            "RandomSeed": 7,
            **changes.pop("config", {}),
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"epochs": "5"},
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [METRIC],
            },
            "RoleArn": aws.role,
            "OutputDataConfig": {"S3OutputPath": f"s3://{aws.bucket}/tuned"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            **changes.pop("definition", {}),
        },
        **changes,
    }
    aws.client("sagemaker").create_hyper_parameter_tuning_job(**request)
    return name


def describe(aws: Aws, name: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("sagemaker").describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name
    )
    return found


def done(aws: Aws, name: str) -> dict[str, Any]:
    final = ("Completed", "Failed", "Stopped")
    return wait_for(lambda: (it := describe(aws, name))["HyperParameterTuningJobStatus"] in final and it, name)


def children(aws: Aws, name: str, **request: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, **request
    )["TrainingJobSummaries"]
    return found


def test_a_grid_runs_every_combination_and_finds_the_best(aws: Aws, trainer: str) -> None:
    config = {"Strategy": "Grid", "ResourceLimits": {"MaxParallelTrainingJobs": 2}}
    name = tune(aws, trainer, config=config, Tags=[{"Key": "slipway:run", "Value": "r"}])
    job = done(aws, name)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert job["HyperParameterTuningJobArn"].endswith(f":hyper-parameter-tuning-job/{name}")
    counters = {"Completed": 3, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
    assert job["TrainingJobStatusCounters"] == counters
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    best = job["BestTrainingJob"]
    assert best["TunedHyperParameters"] == {"x": "3"}
    objective = {"Type": "Maximize", "MetricName": "test:score", "Value": 3.0}
    assert best["FinalHyperParameterTuningJobObjectiveMetric"] == objective
    names = [child["TrainingJobName"] for child in children(aws, name)]
    assert all(re.fullmatch(rf"{name}-00{n}-[0-9a-f]{{8}}", child) for n, child in enumerate(names, 1))
    child = aws.job(best["TrainingJobName"])
    assert child["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    tags = aws.client("sagemaker").list_tags(ResourceArn=child["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "slipway:run", "Value": "r"}]
    with tarfile.open(fileobj=io.BytesIO(aws.read(child["ModelArtifacts"]["S3ModelArtifacts"]))) as tar:
        given = json.loads(tar.extractfile("given.json").read())  # type: ignore[union-attr]
    assert given == {"epochs": "5", "x": "3", "_tuning_objective_metric": "test:score"}


def test_training_jobs_are_sorted_by_objective_and_those_without_one_left_out(aws: Aws, trainer: str) -> None:
    y = {"Name": "y", "Values": ["speak", "silent"]}
    config = {
        "Strategy": "Grid",
        "ResourceLimits": {"MaxParallelTrainingJobs": 4},
        "ParameterRanges": {"CategoricalParameterRanges": [X, y]},
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "test:score"},
    }
    name = tune(aws, trainer, config=config)
    job = done(aws, name)
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 3}
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"x": "1", "y": "speak"}
    found = children(aws, name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert [child["TunedHyperParameters"]["x"] for child in found] == ["3", "2", "1"]
    assert len(children(aws, name)) == 6
    assert len(children(aws, name, StatusEquals="Failed")) == 0


def test_jobs_without_the_metric_fail_the_tuning_job(aws: Aws, trainer: str) -> None:
    definition = {"StaticHyperParameters": {"y": "silent"}}
    job = done(aws, tune(aws, trainer, definition=definition))
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("No objective metrics found after running 3 training jobs.")
    assert "BestTrainingJob" not in job


def test_failed_jobs_fail_the_tuning_job(aws: Aws, trainer: str) -> None:
    job = done(aws, tune(aws, trainer, definition={"StaticHyperParameters": {"y": "die"}}))
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 3
    assert job["FailureReason"].startswith("All training jobs failed.")


def test_after_five_failures_nothing_more_is_tried(aws: Aws, trainer: str) -> None:
    ranges = {"IntegerParameterRanges": [{"Name": "x", "MinValue": "1", "MaxValue": "100"}]}
    limits = {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 1}
    definition = {"StaticHyperParameters": {"y": "die"}}
    job = done(aws, tune(aws, trainer, ranges=ranges, limits=limits, definition=definition))
    assert job["FailureReason"].startswith("No training job succeeded after 5 attempts.")
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 5


def test_a_target_ends_the_search(aws: Aws, trainer: str) -> None:
    ranges = {"IntegerParameterRanges": [{"Name": "x", "MinValue": "1", "MaxValue": "100"}]}
    limits = {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 1}
    criteria = {"TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 1.0}}
    job = done(aws, tune(aws, trainer, ranges=ranges, limits=limits, config=criteria))
    assert (job["HyperParameterTuningJobStatus"], job["TrainingJobStatusCounters"]["Completed"]) == ("Completed", 1)


def test_a_stop_stops_the_training_jobs_and_then_the_record_can_go(aws: Aws) -> None:
    sagemaker, name = aws.client("sagemaker"), tune(aws, aws.image({"train": WAITING}))
    running = wait_for(lambda: len(found := children(aws, name)) == 2 and found, "two jobs at a time")
    assert describe(aws, name)["TrainingJobStatusCounters"]["InProgress"] == 2
    with pytest.raises(ClientError, match="tuning job is in status InProgress"):
        sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    for child in running:
        wait_for(lambda job=child["TrainingJobName"]: bool(aws.job_log(job)), "its first line")
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    job = done(aws, name)
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert job["TrainingJobStatusCounters"]["Stopped"] == 2
    assert "Value" in job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    with pytest.raises(ClientError, match="tuning job is in status Stopped"):
        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    with pytest.raises(ClientError, match=r"ResourceNotFound.*can't find a tuning job"):
        describe(aws, name)
    assert aws.job(running[0]["TrainingJobName"])["TrainingJobStatus"] == "Stopped"  # the training jobs stay


def test_tuning_jobs_are_listed_by_name(aws: Aws, trainer: str) -> None:
    names = sorted(tune(aws, trainer, limits={"MaxNumberOfTrainingJobs": 1}) for _ in range(2))
    for name in names:
        done(aws, name)
    listed = aws.client("sagemaker").list_hyper_parameter_tuning_jobs(MaxResults=100)
    found = {item["HyperParameterTuningJobName"]: item for item in listed["HyperParameterTuningJobSummaries"]}
    assert list(found) == sorted(found)
    assert found[names[0]]["Strategy"] == "Random"
    assert found[names[0]]["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 2}


INTEGER = {"Name": "x", "MinValue": "1", "MaxValue": "9"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"HyperParameterTuningJobName": "x" * 33}, "Member must have length less than or equal to 32"),
        (
            {"limits": {"MaxNumberOfTrainingJobs": 4}},
            r"You don't have enough combinations of hyperparameter ranges\. .* \[3\.0\] .* MaxNumberOfJobs, \[4\]",
        ),
        (
            {"config": {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "other"}}},
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric def",
        ),
        ({"definition": {"StaticHyperParameters": {"x": "1"}}}, "x cannot be both static and tuned"),
        ({"ranges": {}}, "at least one hyperparameter"),
        (
            {"config": {"Strategy": "Grid"}, "ranges": {"IntegerParameterRanges": [INTEGER]}},
            "Grid search supports categorical hyperparameters only",
        ),
        (
            {"config": {"Strategy": "Grid"}, "limits": {"MaxNumberOfTrainingJobs": 2}},
            "for Grid search it must be left out or equal the number of combinations .*, 3",
        ),
        ({"definition": {"RoleArn": "arn:aws:iam::123456789012:role/nobody"}}, "Could not assume role"),
        (
            {"definition": {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}}},
            "It is only supported when EnableManagedSpotTraining is set to true",
        ),
        ({"Autotune": {"Mode": "Enabled"}}, "Autotune is not emulated"),
    ],
)
def test_refusals(aws: Aws, trainer: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=rf"(?s)ValidationException.*{message}"):
        tune(aws, trainer, **changes)


def test_a_name_is_used_once(aws: Aws, trainer: str) -> None:
    name = tune(aws, trainer, limits={"MaxNumberOfTrainingJobs": 1})
    with pytest.raises(ClientError, match=r"ResourceInUse.*already exists"):
        tune(aws, trainer, HyperParameterTuningJobName=name)


def drawn(kind: str, low: str, high: str, scale: str, count: int = 200) -> list[float]:
    ranges = {kind: [{"Name": "x", "MinValue": low, "MaxValue": high, "ScalingType": scale}]}
    sampling.check("Random", ranges, {})
    found = sampling.samples("Random", ranges, 0)
    return [float(next(found)["x"]) for _ in range(count)]


def test_samples_follow_the_scale() -> None:
    linear = drawn("ContinuousParameterRanges", "0.0001", "1", "Linear")
    logarithmic = drawn("ContinuousParameterRanges", "0.0001", "1", "Logarithmic")
    reverse = drawn("ContinuousParameterRanges", "0", "0.9999", "ReverseLogarithmic")
    assert all(0.0001 <= value <= 1 for value in linear + logarithmic)
    assert sum(value < 0.01 for value in linear) < 20
    assert 70 < sum(value < 0.01 for value in logarithmic) < 130
    assert 70 < sum(value > 0.99 for value in reverse) < 130
    integers = drawn("IntegerParameterRanges", "1", "100000", "Logarithmic")
    assert all(value == int(value) for value in integers)
    assert sum(value < 317 for value in integers) > 50  # on a linear scale: about 1 of 200


def test_the_same_seed_draws_the_same_and_nothing_twice() -> None:
    ranges = {"IntegerParameterRanges": [INTEGER]}
    first, second = (list(sampling.samples("Random", ranges, 7)) for _ in range(2))
    assert first == second
    assert sorted(int(item["x"]) for item in first) == list(range(1, 10))
    assert first != list(sampling.samples("Random", ranges, 8))


@pytest.mark.parametrize(
    ("kind", "low", "high", "scale", "message"),
    [
        ("ContinuousParameterRanges", "0", "1", "Logarithmic", "needs a range of values greater than 0"),
        ("ContinuousParameterRanges", "0", "1", "ReverseLogarithmic", "within 0 <= x < 1.0"),
        ("IntegerParameterRanges", "5", "4", "Linear", "MinValue 5 is greater than MaxValue 4"),
        ("IntegerParameterRanges", "0.5", "4", "Linear", "give ints"),
    ],
)
def test_ranges_that_cannot_be_searched(kind: str, low: str, high: str, scale: str, message: str) -> None:
    with pytest.raises(AwsError, match=message):
        drawn(kind, low, high, scale)
