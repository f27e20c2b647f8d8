"""Script mode: what a script gets, from where its source comes, and how it ends. Scripts here import no torch."""

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.script_jobs import DUMP, facts, failure, job, run, write, write_config
from training import script_mode
from training.environment import JobPaths

HYPERPARAMETERS = {
    "sagemaker_program": '"train.py"',
    "sagemaker_job_name": '"job-1"',
    "sagemaker_region": '"eu-west-1"',
    "sagemaker_instance_type": '"ml.m5.large"',
    "_tuning_objective_metric": '"loss"',
    "lr": "0.1",
    "name": '"abc"',
    "bare": "abc",
    "flag": "true",
    "list": "[1, 2]",
    "map": '{"b": 2, "a": 1}',
    "n": "null",
    "x": "3",
    "with-dash": "7",
    "text": "\"a b 'c'\"",
}
ARGUMENTS = ["--bare", "abc", "--flag", "True", "--list", "[1, 2]", "--lr", "0.1", "--map", "a=1,b=2", "-n", ""] + [
    "--name",
    "abc",
    "--text",
    "a b 'c'",
    "--with-dash",
    "7",
    "-x",
    "3",
]  # as sagemaker-training 5.1.4 makes them of these
CLUSTER = {
    "current_host": "algo-2",
    "current_instance_type": "ml.m5.large",
    "current_group_name": "homogeneousCluster",
    "hosts": ["algo-1", "algo-2"],
    "instance_groups": [
        {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-2", "algo-1"]}
    ],
    "network_interface_name": "eth1",
}


@pytest.mark.parametrize(
    ("hyperparameters", "environ", "wanted"),
    [({}, {}, False), ({"sagemaker_program": "a.py"}, {}, True), ({}, {"SAGEMAKER_PROGRAM": "a.py"}, True)],
)
def test_a_job_that_names_a_program_asks_for_it(hyperparameters: Any, environ: Any, wanted: bool) -> None:
    assert script_mode.asked_for(hyperparameters, environ) is wanted


def test_a_script_gets_the_toolkits_arguments_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.9")
    monkeypatch.setenv("TRAINING_JOB_NAME", "job-1")
    paths = job(tmp_path, {"train.py": DUMP}, **HYPERPARAMETERS)
    write_config(paths, "resourceconfig", CLUSTER)
    write_config(paths, "inputdataconfig", {"train": {"TrainingInputMode": "File"}, "my-eval": {}})
    assert run(paths) == 0
    seen, base = facts(paths), str(paths.base)
    assert seen["arguments"] == ARGUMENTS
    assert seen["folder"] == f"{base}/code"
    own = {"bare": "abc", "flag": True, "list": [1, 2], "lr": 0.1, "map": {"a": 1, "b": 2}, "n": None, "name": "abc"}
    own |= {"text": "a b 'c'", "with-dash": 7, "x": 3}
    expected = {
        "CURRENT_HOST": "algo-2",
        "MASTER_ADDR": "127.0.0.9",
        "MASTER_PORT": "7777",
        "NCCL_IB_DISABLE": "1",
        "NCCL_SOCKET_IFNAME": "eth1",
        "SAGEMAKER_JOB_NAME": "job-1",
        "SAGEMAKER_REGION": "eu-west-1",
        "SM_CHANNELS": '["my-eval","train"]',
        "SM_CHANNEL_MY-EVAL": f"{base}/input/data/my-eval",
        "SM_CHANNEL_TRAIN": f"{base}/input/data/train",
        "SM_CURRENT_HOST": "algo-2",
        "SM_CURRENT_INSTANCE_GROUP": "homogeneousCluster",
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": '["algo-2","algo-1"]',
        "SM_CURRENT_INSTANCE_TYPE": "ml.m5.large",
        "SM_DISTRIBUTION_INSTANCE_GROUPS": "[]",
        "SM_FRAMEWORK_MODULE": "",
        "SM_FRAMEWORK_PARAMS": '{"sagemaker_instance_type":"ml.m5.large"}',
        "SM_HOSTS": '["algo-1","algo-2"]',
        "SM_HPS": json.dumps(own, sort_keys=True, separators=(",", ":")),
        "SM_HP_FLAG": "true",
        "SM_HP_LR": "0.1",
        "SM_HP_N": "",
        "SM_HP_NAME": "abc",
        "SM_HP_WITH-DASH": "7",
        "SM_INPUT_CONFIG_DIR": f"{base}/input/config",
        "SM_INPUT_DATA_CONFIG": '{"my-eval":{},"train":{"TrainingInputMode":"File"}}',
        "SM_INPUT_DIR": f"{base}/input",
        "SM_INSTANCE_GROUPS": '["homogeneousCluster"]',
        "SM_IS_HETERO": "false",
        "SM_LOG_LEVEL": "20",
        "SM_MODEL_DIR": f"{base}/model",
        "SM_MODULE_DIR": f"{base}/code",
        "SM_MODULE_NAME": "train",
        "SM_NETWORK_INTERFACE_NAME": "eth1",
        "SM_NUM_CPUS": str(os.cpu_count()),
        "SM_NUM_NEURONS": "0",
        "SM_OUTPUT_DATA_DIR": f"{base}/output/data",
        "SM_OUTPUT_DIR": f"{base}/output",
        "SM_OUTPUT_INTERMEDIATE_DIR": f"{base}/output/intermediate",
        "SM_RESOURCE_CONFIG": json.dumps(CLUSTER, sort_keys=True, separators=(",", ":")),
        "SM_USER_ARGS": json.dumps(ARGUMENTS, separators=(",", ":")),
        "SM_USER_ENTRY_POINT": "train.py",
    }
    assert {name: seen["variables"].get(name) for name in expected} == expected
    assert "SM_HP_SAGEMAKER_PROGRAM" not in seen["variables"] and "SM_TOPOLOGY" not in seen["variables"]
    assert seen["variables"]["PYTHONPATH"].split(os.pathsep)[0] == f"{base}/code"
    training_env = json.loads(seen["variables"]["SM_TRAINING_ENV"])
    assert training_env["hyperparameters"] == own and training_env["is_master"] is False
    assert training_env["channel_input_dirs"]["train"] == f"{base}/input/data/train"
    assert (paths.base / "output" / "success").exists() and not paths.failure.exists()


SAYS = "import os, sys\nopen(os.environ['SM_OUTPUT_DATA_DIR'] + '/said', 'w').write(' '.join(sys.argv[1:]))"


def said(paths: JobPaths) -> str:
    return (paths.output_data / "said").read_text().strip()


def test_a_shell_script_gets_its_arguments_as_they_are(tmp_path: Path) -> None:
    files = {"bin/train.sh": 'echo "$1 $2 $SM_HP_NAME" > "$SM_OUTPUT_DATA_DIR/said"'}
    paths = job(tmp_path, files, sagemaker_program="bin/train.sh", name="a; b")
    assert run(paths) == 0
    assert said(paths) == "--name a; b a; b"


def test_a_module_of_a_package_is_installed_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "import json, sys; json.dump(sys.argv[1:], open('asked', 'w'))"
    monkeypatch.setattr("training.script_mode.command.PIP", (sys.executable, "-c", asked))  # a build needs a network
    files = {"setup.py": "", "requirements.txt": "", "pkg/__init__.py": "", "pkg/train.py": SAYS}
    paths = job(tmp_path, files, sagemaker_program="pkg/train.py", lr="1")
    assert run(paths) == 0
    assert said(paths) == "--lr 1"
    assert json.loads((paths.base / "code" / "asked").read_text()) == [".", "-r", "requirements.txt"]


def wheel(folder: Path, name: str) -> Path:
    """A wheel with one module, made by hand: pip installs it without any network."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "VALUE = 41 + 1\n")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def test_requirements_are_installed_before_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "packages"
    monkeypatch.setenv("PIP_TARGET", str(packages))  # not into the environment of these tests
    monkeypatch.setenv("PYTHONPATH", str(packages))
    script = "import needed; open('value', 'w').write(str(needed.VALUE))"
    paths = job(tmp_path, {"train.py": script}, sagemaker_program="train.py")
    file = wheel(tmp_path, "needed")
    write(paths.base / "code", {"requirements.txt": f"--no-index\n{file}\n"})
    assert run(paths) == 0
    assert (paths.base / "code" / "value").read_text() == "42"


def test_a_package_that_cannot_be_installed_is_the_cause(tmp_path: Path) -> None:
    files = {"train.py": "open('started', 'w')", "requirements.txt": "--no-index\nno-such-package-of-ours\n"}
    paths = job(tmp_path, files, sagemaker_program="train.py")
    assert run(paths) == 1
    assert failure(paths)[0] == "ERROR: No matching distribution found for no-such-package-of-ours"
    assert "pip install: exit code 1" in failure(paths)[2]
    assert not (paths.base / "code" / "started").exists()
