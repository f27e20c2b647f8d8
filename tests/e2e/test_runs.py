"""Runs by the real engine: every command of docs/runs.md in order, and a search over a data set in a local folder."""

import json
import re
import shutil

import pytest
import yaml

from infra.datasets import bundled_file
from tests.e2e.checkout import ROOT, Checkout
from tests.e2e.updates.cases import QUICK

PAGE = (ROOT / "docs" / "runs.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.rehearsal
def test_train_again_promote_and_go_back(running: Checkout) -> None:
    running.configure(training=QUICK)
    done = running.shell("\n".join(blocks("sh")))
    assert done.code == 0, done.text
    assert "stack local has no run; make one: slipway train" in done.out
    config = yaml.safe_load((running.folder / "Pulumi.local.yaml").read_text())["config"]
    assert config["slipway:model"] == "registry:approved" and config["slipway:training"]["attempt"] == 2
    second, first = json.loads(running.ok("slipway", "runs", "--json"))
    assert (second["approval"], first["approval"]) == ("Rejected", "Approved")
    assert first["served"] and not second["served"]
    assert first["name"] in running.outputs()["artifact"]
    unknown = running.run("slipway", "promote", "nope")
    assert unknown.code == 2 and f"registered: {second['name']}, {first['name']}" in unknown.err


@pytest.mark.rehearsal
def test_a_search_over_a_local_folder_serves_its_best_run(running: Checkout) -> None:
    folder = running.folder / "digits"
    folder.mkdir()
    shutil.copy(bundled_file("digits"), folder)
    (example,) = blocks("yaml")
    searched = yaml.safe_load(example)["slipway:training"]
    tuning = searched["tuning"] | {"max_jobs": 2, "max_parallel_jobs": 2}
    hyperparameters = {**QUICK["hyperparameters"], **searched["hyperparameters"]}
    running.configure(data="./digits", training=QUICK | {"hyperparameters": hyperparameters, "tuning": tuning})
    first = running.up()
    assert first.code == 0, first.text
    outputs = running.outputs()
    jobs = running.aws("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=outputs["tuning_job"], SortBy="FinalObjectiveMetricValue", SortOrder="Descending"
    )["TrainingJobSummaries"]
    assert len(jobs) == 2 and jobs[0]["TrainingJobName"] == outputs["run"]
    assert outputs["run"] in outputs["artifact"]
    assert "as recorded in the artifact" in running.ok("slipway", "verify")
    again = running.up("--expect-no-changes")
    assert again.code == 0, again.text
    assert "nothing left of slipway-local" in running.ok("slipway", "down")
