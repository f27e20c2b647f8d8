"""What is found, imported and refused of a user's code, each refusal with its file and line."""

import sys
from pathlib import Path

import orjson
import pytest

from inference.artifact import ArtifactError
from inference.user_code.model import has_user_code, load
from tests.unit.inference.user_code import answer, document, on_loop, request, with_code, write

SERVE = """
    def model_fn(model_dir): return "model"
    def transform_fn(model, body, content_type, accept): return VALUE
"""


def value(text: str) -> str:
    return SERVE.replace("VALUE", text)


def refusal(folder: Path, **environ: str) -> str:
    with pytest.raises(ArtifactError) as caught:
        load(folder, environ)
    return str(caught.value)


def test_the_program_may_have_another_name_or_lie_elsewhere(tmp_path: Path) -> None:
    model, elsewhere = tmp_path / "model", tmp_path / "elsewhere"
    write(model, {"code/serve.py": value("1"), "code/inner/serve.py": value("2")})
    with_code(elsewhere, value("3"))
    assert not has_user_code(model, {})
    submitted = {"SAGEMAKER_SUBMIT_DIRECTORY": f"file://{elsewhere}/code"}
    for number, environ in enumerate(
        ({"SAGEMAKER_PROGRAM": "serve.py"}, {"SAGEMAKER_PROGRAM": "inner.serve"}, submitted), start=1
    ):
        assert has_user_code(model, environ)
        assert document(answer(model, request(b""), **environ)) == number
    write(model, {"code/inference.py": value("4")})
    assert document(answer(model, request(b""), **submitted)) == 4  # what came with the model comes first


@pytest.mark.parametrize("environ", [{}, {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://bucket/source.tar.gz"}])
def test_a_folder_without_code_has_none(tmp_path: Path, environ: dict[str, str]) -> None:
    assert not has_user_code(tmp_path, environ)
    assert "has no code/inference.py" in refusal(tmp_path, **environ)


def test_a_program_that_is_named_and_not_there_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not has_user_code(tmp_path, {"SAGEMAKER_PROGRAM": "entry.py"})
    assert "SAGEMAKER_PROGRAM is 'entry.py'" in caplog.text and str(tmp_path / "code") in caplog.text


def test_code_imports_what_lies_beside_it_and_in_lib(tmp_path: Path) -> None:
    write(tmp_path, {"code/helper.py": "NAME = 'h'", "code/lib/vendored/__init__.py": "NAME = 'v'"})
    with_code(tmp_path, f"import helper, vendored\n{_plain('helper.NAME + vendored.NAME')}")
    assert answer(tmp_path, request(b"")).body == b"hv"
    assert "helper" not in sys.modules and str(tmp_path / "code") not in sys.path  # the model is closed
    assert not list(tmp_path.rglob("__pycache__"))


def _plain(text: str) -> str:
    return "\n".join(line[4:] for line in value(text).splitlines())


def test_two_models_in_one_process_may_call_their_helpers_the_same(tmp_path: Path) -> None:
    prepared = []
    for name in ("a", "b"):
        files = {"code/helper.py": f"NAME = '{name}'", "code/inference.py": f"import helper\n{_plain('helper.NAME')}"}
        prepared.append(load(write(tmp_path / name, files), {}))

    async def ask(model: object) -> str:
        from tests.unit.inference.user_code import invoke

        return (await invoke(model, request(b""))).body.decode()  # type: ignore[arg-type,union-attr]

    assert [on_loop(one, ask) for one in prepared] == ["a", "b"]
    assert "helper" not in sys.modules


def test_the_version_is_that_of_the_code(tmp_path: Path) -> None:
    first = load(with_code(tmp_path, value("1")), {}).loaded.facts
    assert first == {"engine": "user code", "version": first["version"], "task": "custom"}
    assert load(tmp_path, {}).loaded.facts == first
    assert load(with_code(tmp_path, value("2")), {}).loaded.facts["version"] != first["version"]
    write(tmp_path, {"code/lib/x.py": "a = 1"})
    assert len(load(tmp_path, {}).loaded.facts["version"]) == 12


@pytest.mark.parametrize(
    ("files", "place", "said"),
    [
        ({"inference.py": "x = 1\ndef model_fn(:"}, "inference.py:2", "SyntaxError"),
        (
            {"inference.py": "import helper", "helper.py": "x = 1\ny = 2\n1 / 0"},
            "helper.py:3",
            "ZeroDivisionError: division",
        ),
        ({"inference.py": "x = 1\nimport not_there_at_all"}, "inference.py:2", "install it in the image"),
        ({"inference.py": "raise SystemExit(3)"}, "inference.py:1", "SystemExit: 3"),
        (
            {"inference.py": "def model_fn(d):\n    open('/not/there')"},
            "inference.py:2",
            "model_fn fails (FileNotFound",
        ),
        ({"inference.py": "async def model_fn(d):\n    1 / 0"}, "inference.py:2", "model_fn fails (ZeroDivision"),
        (
            {"inference.py": "def model_fn(d): return 1\ndef model_warmup_fn(d, model):\n    model.x"},
            "inference.py:3",
            "model_warmup_fn fails (AttributeError",
        ),
    ],
)
def test_what_fails_while_loading_is_told_with_its_place(
    tmp_path: Path, files: dict[str, str], place: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = {f"code/{name}": text for name, text in files.items()}
    if "warmup" in said:
        files["code/inference.py"] += "\ndef predict_fn(data, model): return 1"
    message = refusal(write(tmp_path, files))
    assert message.startswith(f"{tmp_path}/code/{place}: ") and said in message
    assert "Traceback" in caplog.text
    assert str(tmp_path / "code") not in sys.path


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def model_fn(): pass", "model_fn takes (); expected (model_dir) or (model_dir, context)"),
        ("def input_fn(a, b, c, d): pass", "input_fn takes (a, b, c, d); expected (request_body, content_type)"),
        ("predict_fn = 5", "predict_fn is 5, not a function"),
        (
            "def transform_fn(m, b, c, a): pass\ndef output_fn(p, a): pass",
            "defines transform_fn and output_fn; transform_fn does the work of the others",
        ),
        ("def model_fn(d): return {}", "model_fn returned a dict, which cannot be called; define predict_fn"),
    ],
)
def test_functions_that_cannot_work_are_refused(tmp_path: Path, source: str, said: str) -> None:
    message = refusal(with_code(tmp_path, source))
    assert said in message and str(tmp_path / "code" / "inference.py") in message


@pytest.mark.parametrize("signature", ["*args", "body, *rest", "*, content_type", "a, b, c, d, e=1"])
def test_only_the_number_of_parameters_counts(tmp_path: Path, signature: str) -> None:
    code = f"""
        def model_fn(model_dir): return 1
        def transform_fn({signature}): return b"x"
    """
    if signature == "*, content_type":
        assert "transform_fn takes (content_type)" in refusal(with_code(tmp_path, code))
    else:
        assert answer(with_code(tmp_path, code), request(b"")).body == b"x"


def test_missing_requirements_are_named_all_at_once(tmp_path: Path) -> None:
    requirements = """
        # what it needs
        numpy>=1.20,<99   # there
        not-there-at-all[extra]==1.2 \\
            --hash=sha256:abc
        orjson==0.0.1
        Other_Missing; python_version > "3"
        absent; sys_platform == "never"
        --extra-index-url https://example.com/simple
        -r more.txt
        git+https://example.com/x.git
    """
    write(tmp_path, {"code/requirements.txt": requirements, "code/more.txt": "third-missing"})
    message = refusal(with_code(tmp_path, value("1")))
    assert "not-there-at-all[extra]==1.2, orjson==0.0.1 (here is " in message
    assert "Other_Missing" in message and "third-missing" in message and "absent" not in message
    assert "numpy" not in message and "bake it into the image" in message and f"--target {tmp_path}/code/lib" in message


def test_a_requirement_may_come_along_in_lib(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "code/requirements.txt": "brought-along==2.0",
            "code/lib/brought_along-2.0.dist-info/METADATA": "Name: brought-along\nVersion: 2.0\n",
            "code/lib/brought_along/__init__.py": "WORD = 'here'",
        },
    )
    with_code(tmp_path, f"import brought_along\n{_plain('brought_along.WORD')}")
    assert answer(tmp_path, request(b"")).body == b"here"


def test_aws_hooks_run_before_the_first_request(tmp_path: Path) -> None:
    code = """
        said = []
        def pre_model_fn(model_dir): said.append("pre")
        def model_fn(model_dir): said.append("model"); return said
        def model_warmup_fn(model_dir, model): model.append("warm")
        def transform_fn(model, body, content_type, accept): return model
    """
    assert document(answer(with_code(tmp_path, code), request(b""))) == ["pre", "model", "warm"]


def test_somebody_elses_manifest_is_none_of_ours(tmp_path: Path) -> None:
    write(tmp_path, {"manifest.json": orjson.dumps({"name": "mine"}).decode()})
    assert load(with_code(tmp_path, value("1")), {}).loaded.facts["task"] == "custom"
    write(tmp_path, {"manifest.json": "{"})
    assert "not JSON" in refusal(tmp_path)
