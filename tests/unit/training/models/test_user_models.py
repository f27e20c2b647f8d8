"""A user's models: entered by their files, and refused with file and line."""

import sys
from pathlib import Path

import pytest
from torch import nn

from training.errors import ConfigError
from training.models import ModelSpec, get, load_user_models, names, registry
from training.options import ModelOptions

HEAD = "from torch import nn\nfrom training.models import ModelSpec, model\n\n"


@pytest.fixture(autouse=True)
def _table_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_theirs", {})
    monkeypatch.setattr(sys, "path", list(sys.path))


def _file(folder: Path, name: str, decorator: str, body: str = "return nn.Linear(spec.shape[0], spec.outputs)") -> Path:
    file = folder / name
    file.write_text(f"{HEAD}@model({decorator})\ndef build(spec: ModelSpec) -> nn.Module:\n    {body}\n")
    return file


def test_a_file_in_the_folder_is_enough(tmp_path: Path) -> None:
    _file(tmp_path, "mine.py", "'line', tasks=('tabular-classification',), width=3, epochs=2")
    assert load_user_models(tmp_path) == ("mine.py",)
    entry = get("line")
    assert entry.defaults == {"width": 3, "epochs": 2}
    assert names("tabular-classification")[-1] == "line"
    spec = ModelSpec(task=entry.tasks[0], shape=(4,), outputs=2, vocabulary=0, options=ModelOptions())
    module = entry.build(spec)
    assert isinstance(module, nn.Linear) and module.in_features == 4


def test_files_may_import_each_other_and_be_loaded_again(tmp_path: Path) -> None:
    (tmp_path / "slipway_test_blocks.py").write_text("WIDTH = 3\n")
    for width in (3, 50):  # of another length: Python tells a file changed within a second by that only
        _file(tmp_path, "mine.py", f"'line', tasks=('tabular-classification',), width={width}")
        with (tmp_path / "mine.py").open("a") as stream:
            stream.write("from slipway_test_blocks import WIDTH\n")
        load_user_models(tmp_path)
        assert get("line").defaults == {"width": width}
    sys.modules.pop("slipway_test_blocks")


def test_no_folder_and_no_files_hold_no_models(tmp_path: Path) -> None:
    assert load_user_models(tmp_path / "nowhere") == () == load_user_models(tmp_path)


@pytest.mark.parametrize(
    ("decorator", "complaint"),
    [
        ("'cnn', tasks=('image-classification',)", "the name 'cnn' belongs to training.models.cnn:cnn already"),
        ("'line', tasks=('image-clasification',)", "allowed: image-classification, "),
        ("'line', tasks=()", "allowed: image-classification, "),
        ("'line', tasks='image-classification'", "allowed: image-classification, "),
        ("'line', tasks=('image-generation',), widht=3", "widht is no hyperparameter; did you mean 'width'?"),
        ("'line', tasks=('image-generation',), model='cnn'", "model is no hyperparameter"),
    ],
)
def test_a_wrong_registration_is_refused_with_file_and_line(tmp_path: Path, decorator: str, complaint: str) -> None:
    file = _file(tmp_path, "mine.py", decorator)
    with pytest.raises(ConfigError) as caught:
        load_user_models(tmp_path)
    assert f"{file}:4: " in str(caught.value) and complaint in str(caught.value)


def test_one_name_in_two_files_is_refused(tmp_path: Path) -> None:
    first = _file(tmp_path, "a.py", "'line', tasks=('image-generation',)")
    second = _file(tmp_path, "b.py", "'line', tasks=('image-generation',)")
    with pytest.raises(ConfigError) as caught:
        load_user_models(tmp_path)
    assert f"{second}:4: the name 'line' belongs to {first}:4 already" in str(caught.value)


@pytest.mark.parametrize(
    ("task", "body", "complaint"),
    [
        ("tabular-classification", "return 3", "an object of type int; return a torch.nn.Module"),
        ("tabular-classification", "return nn.Linear(4, 5)", "the output is torch.float32 (2, 5); it has to be float"),
        ("tabular-classification", "return nn.Linear(9, 3)", "fails on torch.float32 (2, 4): RuntimeError: "),
        ("tabular-classification", "return nn.RNN(4, 3)", "the output is of type tuple; it has to be a float tensor"),
        ("image-generation", "return nn.Linear(4, 3)", "no method encode and decode; training.models.vae shows"),
    ],
)
def test_a_network_that_does_not_suit_its_task_is_refused_before_training(
    tmp_path: Path, task: str, body: str, complaint: str
) -> None:
    file = _file(tmp_path, "mine.py", f"'line', tasks=('{task}',)", body)
    load_user_models(tmp_path)
    with pytest.raises(ConfigError) as caught:
        get("line").build(ModelSpec(task=task, shape=(4,), outputs=3, vocabulary=0, options=ModelOptions()))
    assert f"{file}:4: model 'line'" in str(caught.value) and complaint in str(caught.value)


def test_a_generator_of_the_right_form_passes_and_keeps_its_mode(tmp_path: Path) -> None:
    body = "from training.models.vae import vae; return vae(spec)"
    _file(tmp_path, "mine.py", "'auto', tasks=('image-generation',)", body)
    load_user_models(tmp_path)
    shape, options = (1, 8, 8), ModelOptions(width=2, latent=3)
    spec = ModelSpec(task="image-generation", shape=shape, outputs=3, vocabulary=0, options=options)
    assert get("auto").build(spec).training


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("import torch\n\nnowhere.at_all()\n", 3, "NameError: name 'nowhere' is not defined"),
        ("x = 1\ndef f(:\n", 2, "SyntaxError: invalid syntax"),
        ("import slipway_no_such_module\n", 1, "ModuleNotFoundError: No module named 'slipway_no_such_module'"),
    ],
)
def test_a_file_that_does_not_import_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, complaint: str
) -> None:
    file = tmp_path / "broken.py"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_user_models(tmp_path)
    assert f"{file}:{line}: {complaint}" in str(caught.value)
    assert "training_user_models_broken" not in sys.modules
