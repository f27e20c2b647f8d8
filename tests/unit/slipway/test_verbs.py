"""The command line: its surface, what it loads, and its small parts."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from typer.main import get_command

from slipway import draw
from slipway.__main__ import app, aws_sentence
from slipway.engine import Diagnostic, ResourceEvent, _event
from slipway.errors import SlipwayError
from slipway.invoke import content_type_of
from slipway.local import LocalAws
from slipway.project import is_local, open_stack
from slipway.view import Steps

# The public surface: an option that appears or goes is a decision, not an accident.
SURFACE = {
    "bill": {"--format", "--json", "--since", "--stack", "-s"},
    "ci deploy": {"--max", "--max-of", "--policy-pack", "--skip-preflight", "--stack", "-s"},
    "ci nightly": {"--match", "--out", "--remove", "--stack", "-s"},
    "ci preview": {"--comment", "--max", "--max-of", "--out", "--policy-pack", "--stack", "-s"},
    "ci pull-request close": {"--comment", "--number"},
    "ci pull-request open": {"--comment", "--days", "--number", "--policy-pack"},
    "cost": {
        *("--assume", "--deployed", "--diff", "--explain", "--format", "--json", "--max", "--max-of", "--plan"),
        *("--stack", "--usage", "-s"),
    },
    "demo": set(),
    "doctor": {"--json"},
    "down": {"--name", "--stack", "-s", "--yes"},
    "extend": {"--json", "--stack", "-s"},
    "export adapter-rule": {"--json"},
    "export kubernetes": {
        *("--arch", "--cpu", "--env", "--env-secret", "--fetch-image", "--gpu", "--image", "--json", "--max"),
        *("--memory", "--min", "--model", "--monitor", "--name", "--namespace", "--output", "--queue-target"),
        *("--replicas", "--scale-on", "--service-account-role", "--stack", "--user", "-o", "-s"),
    },
    "init": {"--json", "--region", "--stack", "-s"},
    "invoke": {"--accept", "--content-type", "--stack", "-s"},
    "leaks": {"--json", "--name", "--remove", "--stack", "--yes", "-s"},
    "local env": set(),
    "local logs": {"-n"},
    "local start": {"--port"},
    "local status": {"--json"},
    "local stop": set(),
    "logs": {"--build", "--endpoint", "--follow", "--run", "--stack", "-f", "-s"},
    "plot": {"--json", "--save", "--stack", "-s"},
    "prices refresh": {"--json", "--out", "--region"},
    "prices show": {"--json", "--region"},
    "preflight": {"--json", "--stack", "-s"},
    "promote": {"--stack", "--up", "-s"},
    "resume": {"--anyway", "--budget", "--json", "--stack", "-s"},
    "rollback": {"--stack", "--up", "-s"},
    "runs": {"--compare", "--json", "--stack", "-s"},
    "start": {"--json", "--stack", "-s"},
    "stop": {"--json", "--stack", "--yes", "-s"},
    "train": {"--again", "--follow", "--stack", "-f", "-s"},
    "unlock": {"--stack", "-s"},
    "verify": {"--json", "--stack", "-s"},
}
ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("torch", "pulumi_aws", "pulumi", "moto", "sklearn", "boto3")


def surface(command: Any, path: str = "") -> dict[str, set[str]]:
    if hasattr(command, "commands"):
        found: dict[str, set[str]] = {}
        for name, child in command.commands.items():
            found |= surface(child, f"{path} {name}".strip())
        return found
    options = [param for param in command.params if param.param_type_name == "option"]
    return {path: {word for option in options for word in option.opts} - {"--help"}}


def test_the_public_surface_is_this() -> None:
    assert surface(get_command(app)) == SURFACE


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['slipway', '--help']\n"
        "from slipway.__main__ import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("name", "local"), [("local", True), ("local-prod", True), ("dev", False), ("locally", False)])
def test_local_stacks_are_known_by_their_name(name: str, local: bool) -> None:
    assert is_local(name) is local


def test_an_unknown_stack_names_the_known_ones() -> None:
    with pytest.raises(SlipwayError, match=r"Pulumi\.nope\.yaml does not exist; there are: .*dev.*local") as caught:
        open_stack("nope")
    assert caught.value.exit_code == 2


def slipway(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "slipway", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_without_credentials_a_real_stack_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    done = slipway("leaks", "--stack", "dev")
    assert done.returncode == 1
    assert done.stderr.startswith("slipway: no AWS credentials; set AWS_PROFILE") and len(done.stderr.splitlines()) == 1


def test_a_refusal_by_aws_is_a_sentence_and_a_defect_of_ours_is_not_hidden() -> None:
    refusal = ClientError({"Error": {"Code": "AccessDenied", "Message": "not allowed"}}, "ListRoles")
    assert aws_sentence(refusal).startswith("AWS: An error occurred (AccessDenied)")
    assert aws_sentence(KeyError("x")) == ""


def test_a_file_that_does_not_exist_is_wrong_usage() -> None:
    done = slipway("invoke", "/nonexistent.json")
    assert done.returncode == 2 and "'/nonexistent.json' does not exist" in done.stderr


def test_the_content_type_follows_the_file_name() -> None:
    assert content_type_of(Path("a.PNG")) == "image/png"
    with pytest.raises(SlipwayError, match=r"cannot tell the content type of a\.tar; known: \.csv \.jpeg"):
        content_type_of(Path("a.tar"))


def test_a_record_of_a_dead_process_is_not_running(tmp_path: Path) -> None:
    record = tmp_path / "running.json"
    record.write_text('{"pid": 1, "url": "http://127.0.0.1:9", "started": 0}')
    assert LocalAws(tmp_path).running() is None
    assert not record.exists()


def test_engine_events_are_read() -> None:
    raw = {
        "resOutputsEvent": {
            "metadata": {"op": "create", "urn": "urn:pulumi:s::p::t::name", "type": "aws:x:Y", "new": {"id": "i-1"}}
        }
    }
    assert _event(raw) == ResourceEvent(phase="done", change="create", type="aws:x:Y", name="name", id="i-1")
    said = {"diagnosticEvent": {"severity": "error", "message": "no\n"}}
    assert _event(said) == Diagnostic(severity="error", message="no", ephemeral=False)
    assert _event({"preludeEvent": {}}) is None


def test_a_picture_in_characters_is_as_dark_as_its_values() -> None:
    assert draw.characters([[0, 8, 16]], 16) == ["  ++@@"]


def test_a_picture_in_blocks_has_square_pixels() -> None:
    (line,) = draw.blocks([[0, 16]], 16)
    assert line.plain == "    "
    assert [str(span.style) for span in line.spans] == ["on #000000", "on #ffffff"]


def test_steps_in_a_pipe_are_plain_lines() -> None:
    file = io.StringIO()
    console = Console(file=file, width=40)
    with Steps(console) as steps:
        with steps.step("first") as step:
            steps.line(step, "a line [of] its own")
            step.result = "a result that is longer than the width of the console"
        with pytest.raises(ValueError, match="no"), steps.step("second"):
            raise ValueError("no")
    lines = file.getvalue().splitlines()
    assert lines[0] == "  a line [of] its own"
    assert lines[1].startswith("first        ok") and lines[1].endswith("the width of the console")
    assert lines[2].startswith("second       failed")
    assert "\x1b" not in file.getvalue()


def test_steps_on_a_terminal_are_a_list_with_marks_and_seconds() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, record=True)
    steps = Steps(console)
    done, failed, running = (steps.begin(title) for title in ("first", "second", "third"))
    done.result = "made"
    steps.end(done)
    failed.show("what it was doing")
    steps.end(failed, failed=True)
    running.show("half-way")
    console.print(steps)
    first, second, third = console.export_text().splitlines()
    assert first.startswith("✓ first") and first.rstrip().endswith("made")
    assert second.startswith("✗ second") and "what it was doing" in second
    assert third[2:].startswith("third") and "half-way" in third
