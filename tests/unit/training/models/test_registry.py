"""The table of models: complete, consistent with the options, and read without torch."""

import subprocess
import sys

import pytest

from training.config import TrainingConfig
from training.errors import ConfigError
from training.models import registry
from training.options import TASKS, options


def test_config_and_table_are_read_without_torch_and_scikit_learn() -> None:
    script = (
        "import sys\n"
        "from training.config import parse_hyperparameters\n"
        "from training.models import get, load_user_models, model, names\n"
        "parse_hyperparameters({'model': 'resnet9'})\n"
        "print([name for name in ('torch', 'sklearn', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_default_model_that_is_no_estimator(task: str) -> None:
    default = registry.get(registry.names(task)[0])
    assert task in default.tasks and not default.is_estimator


@pytest.mark.parametrize("name", registry.OURS)
def test_own_defaults_are_hyperparameters_with_values_in_their_range(name: str) -> None:
    entry = registry.get(name)
    known = options()
    for option, value in entry.defaults.items():
        rules = known[option][1].metadata
        assert type(value) is known[option][1].type
        assert "minimum" not in rules or rules["minimum"] <= value <= rules["maximum"]
        assert "allowed" not in rules or value in rules["allowed"]
    TrainingConfig.of(model=name, **entry.defaults)


def test_an_unknown_name_is_answered_with_the_nearest_one_and_the_list_by_task() -> None:
    with pytest.raises(ConfigError) as caught:
        registry.get("tranformer")
    assert "did you mean 'transformer'?" in str(caught.value)
    assert "text-classification: " in str(caught.value) and "image-generation: vae" in str(caught.value)
