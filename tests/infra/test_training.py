"""What a run gets under mocks: its channels, its gate, and what of them is part of its identity."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.metrics import METRIC_LIMIT, METRICS
from tests.infra.hosting import faults
from tests.infra.recorder import Declared

Declare = Callable[..., Any]
ELSEWHERE = "s3://lake/models/model.tar.gz"
BASE = {"instance_type": "ml.g5.xlarge", "hyperparameters": {"model": "cnn"}}


def only(declared: list[Declared], kind: str) -> Declared:
    (found,) = [one for one in declared if one.type.endswith(f":{kind}")]
    return found


def channels(declared: list[Declared], kind: str = "TrainingJob") -> dict[str, Any]:
    """Channel name -> its S3 source."""
    inputs = only(declared, kind).inputs
    found = inputs["inputDataConfigs"] if kind == "TrainingJob" else inputs["trainingJobDefinition"]["inputDataConfigs"]
    return {one["channelName"]: one["dataSource"]["s3DataSource"] for one in found}


def train_policy(declared: list[Declared]) -> str:
    (policy,) = [one for one in declared if one.name == "access-train"]
    return str(policy.inputs["policy"])


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "mine.py").write_text("WIDTH = 1\n")
    return folder


def test_code_is_uploaded_by_content_and_given_as_a_channel(declare: Declare, code: Path) -> None:
    declared, _, actions = declare(training=BASE | {"code": str(code)})
    (sha256,) = [words[1] for words in actions.asked if words[0] == "upload"]
    uri = f"s3://slipway-dev-data-abc1234/code/{sha256}/files/"
    assert channels(declared)["code"]["s3Uri"] == uri
    assert f'"arn:aws:s3:::{uri.removeprefix("s3://")}*"' in train_policy(declared)
    assert faults(declared) == []


def test_other_code_makes_another_run_and_an_import_of_it_does_not(declare: Declare, code: Path) -> None:
    _, first, _ = declare(training=BASE | {"code": str(code)})
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "mine.cpython-311.pyc").write_bytes(b"x")
    _, same, _ = declare(training=BASE | {"code": str(code)})
    (code / "mine.py").write_text("WIDTH = 2\n")
    _, other, _ = declare(training=BASE | {"code": str(code)})
    _, without, _ = declare(training=BASE)
    assert first["run"] == same["run"]
    assert len({first["run"], other["run"], without["run"]}) == 3


def test_code_of_a_program_that_trains_nothing_is_not_read(declare: Declare) -> None:
    declared, _, _ = declare(model="off", training=BASE | {"code": "./no-such-folder"})
    assert "TrainingJob" not in {one.type.rsplit(":", 1)[-1] for one in declared}


@pytest.mark.parametrize("tuning", [None, {"integer": {"width": [8, 16]}}])
def test_the_approved_artifact_is_a_channel_and_no_part_of_the_run(declare: Declare, tuning: Any) -> None:
    kind = "HyperParameterTuningJob" if tuning else "TrainingJob"
    training = BASE | ({"tuning": tuning} if tuning else {})
    off, plain, _ = declare(training=training)
    declared, exports, actions = declare(training=training | {"baseline": "approved"})
    assert ("baseline", exports["registry"]) in actions.asked
    found = channels(declared, kind)["baseline"]
    assert found["s3Uri"] == "s3://slipway-dev-data-abc1234/runs/approved/output/model.tar.gz"
    assert found["s3DataDistributionType"] == "FullyReplicated"
    assert exports["run"] == plain["run"] and list(channels(off, kind)) == ["train"]
    fixed = only(declared, kind).ignore_changes
    assert {"input_data_configs", "inputDataConfigs", "training_job_definition", "trainingJobDefinition"} & set(fixed)


def test_until_something_is_approved_there_is_no_baseline(declare: Declare) -> None:
    declared, exports, _ = declare(training=BASE | {"baseline": "approved"}, approved=False)
    assert list(channels(declared)) == ["train"]
    _, later, _ = declare(training=BASE | {"baseline": "approved"})
    assert later["run"] == exports["run"], "an approval would train again"


def test_a_baseline_from_elsewhere_can_be_read(declare: Declare) -> None:
    declared, _, actions = declare(training=BASE | {"baseline": ELSEWHERE})
    assert channels(declared)["baseline"]["s3Uri"] == ELSEWHERE
    assert '"arn:aws:s3:::lake/models/model.tar.gz*"' in train_policy(declared)
    assert not [words for words in actions.asked if words[0] == "baseline"]


def test_data_is_shared_out_over_instances_on_request(declare: Declare) -> None:
    several = BASE | {"instance_count": 3}
    replicated, before, _ = declare(training=several)
    sharded, after, _ = declare(training=several | {"distribution": "sharded"})
    assert channels(replicated)["train"]["s3DataDistributionType"] == "FullyReplicated"
    assert channels(sharded)["train"]["s3DataDistributionType"] == "ShardedByS3Key"
    assert only(sharded, "TrainingJob").inputs["resourceConfig"]["instanceCount"] == 3
    assert before["run"] != after["run"], "each instance sees other data"


@pytest.mark.parametrize(
    ("hyperparameters", "gate"),
    [
        ({}, "0.9"),
        ({"task": "text-classification"}, "0.9"),
        ({"task": '"tabular-regression"'}, None),
        ({"task": "image-generation"}, None),
        ({"sagemaker_program": "train.py"}, None),
        ({"task": "tabular-regression", "min_accuracy": "0.1"}, "0.1"),
    ],
)
def test_the_accuracy_gate_goes_to_runs_that_have_an_accuracy(
    declare: Declare, hyperparameters: dict[str, str], gate: str | None
) -> None:
    declared, _, _ = declare(training={"min_accuracy": 0.9, "hyperparameters": hyperparameters})
    assert only(declared, "TrainingJob").inputs.get("hyperParameters", {}).get("min_accuracy") == gate


LOG = """
epoch=3/20 step=69/460 loss=0.5123 learning_rate=0.0100 examples_per_second=3456
validation_accuracy=0.9812 validation_accuracy_low=0.9 validation_loss=0.0712
test_accuracy=0.9944 test_accuracy_low=0.98 test_loss=6.1e-02 test_f1=0.99 test_auc=1.0000 test_calibration_error=0.0123
test_rmse=53.2 test_r2=-0.25 test_reconstruction=0.0081
"""


def test_every_metric_of_the_log_is_read_once_and_nothing_else() -> None:
    found = {name: re.findall(regex, LOG) for name, regex in METRICS.items()}
    assert {name: values for name, values in found.items() if values} == {
        "train:loss": ["0.5123"],
        "train:examples_per_second": ["3456"],
        "validation:accuracy": ["0.9812"],
        "validation:loss": ["0.0712"],
        "test:accuracy": ["0.9944"],
        "test:loss": ["6.1e-02"],
        "test:f1": ["0.99"],
        "test:auc": ["1.0000"],
        "test:calibration_error": ["0.0123"],
        "test:rmse": ["53.2"],
        "test:r2": ["-0.25"],
        "test:reconstruction": ["0.0081"],
    }
    assert len(METRICS) < METRIC_LIMIT


def test_a_run_defines_all_metrics_and_the_stacks_own(declare: Declare) -> None:
    declared, _, _ = declare(training=BASE | {"metrics": {"mine": "mine=([0-9]+)"}})
    definitions = only(declared, "TrainingJob").inputs["algorithmSpecification"]["metricDefinitions"]
    assert {one["name"] for one in definitions} == {*METRICS, "mine"}
