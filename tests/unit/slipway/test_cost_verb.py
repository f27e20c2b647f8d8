"""`slipway cost` on recorded plans: formats, the limit and its exit code, what it loads."""

import json
import subprocess
import sys
from decimal import Decimal

import pytest
from typer.testing import CliRunner, Result

from slipway.__main__ import app
from slipway.cost.amounts import show
from slipway.cost.estimate import estimate
from slipway.cost.gate import refusal
from slipway.cost.usage import Usage
from slipway.errors import SlipwayError
from slipway.prices.book import load
from tests.unit.slipway import plans

LOCAL = str(plans.FOLDER / "local.json")
HEAVY = ("torch", "pulumi_aws", "pulumi", "moto", "sklearn")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["cost", "--plan", LOCAL, *words])


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (("--max", "1000"), False),
        (("--max", "200"), True),  # three instances all month
        (("--max", "200", "--max-of", "expected"), False),
        (("--max", "100", "--max-of", "expected"), True),
        (("--max", "1000", "--assume", "bucket_gb=100000"), True),
    ],
)
def test_a_limit_refuses_with_exit_code_3(words: tuple[str, ...], refused: bool) -> None:
    done = run(*words)
    assert "each month" in done.output  # the estimate is shown either way
    if refused:
        assert isinstance(done.exception, SlipwayError) and done.exception.exit_code == 3
        assert "(--max). Most of it: " in str(done.exception)
    else:
        assert done.exit_code == 0


def test_the_refusal_names_the_case_the_limit_and_what_would_lower_it() -> None:
    found = estimate(plans.plan("local"), load(), Usage(), load().as_of)
    said = refusal(found, Decimal(200), "worst")
    worst = show(found.whole.worst)
    assert said.startswith(f"the worst case is {worst} USD/month, more than the allowed 200.00 (--max)")
    assert "slipway-local-endpoint, ml.m5.large (m5-large): 280.32, lower it by slipway:serving.instances.min" in said
    assert refusal(found, found.whole.worst, "worst") == ""


def test_a_limit_cannot_be_kept_by_what_is_not_known() -> None:
    unpriced = plans.made(*plans.endpoint({"instanceType": "ml.z9.huge", "initialInstanceCount": 1}))
    unknown = plans.made(("aws:rds/instance:Instance", "database", {}))
    for plan, name in ((unpriced, "Hosting:ml.z9.huge"), (unknown, "aws:rds/instance:Instance")):
        said = refusal(estimate(plan, load(), Usage(), load().as_of), Decimal(10**6), "expected")
        assert said.startswith("the cost is not known whole") and name in said


def test_json_is_one_document_and_markdown_is_for_a_comment() -> None:
    found = json.loads(run("--format", "json").output)
    assert found == json.loads(run("--json").output)
    assert found["currency"] == "USD" and found["complete"] is True
    assert run("--format", "markdown").output.startswith("## Cost in eu-west-1\n\n| total |")
    assert "changes" in json.loads(run("--diff", "--json").output)


@pytest.mark.parametrize("words", [("--max", "much"), ("--max", "-1"), ("--max-of", "best"), ("--format", "xml")])
def test_wrong_words_are_wrong_usage(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_a_file_and_a_deployed_stack_are_two_things() -> None:
    caught = run("--deployed").exception
    assert isinstance(caught, SlipwayError) and caught.exit_code == 2


def test_a_plan_from_a_file_needs_neither_aws_nor_anything_heavy() -> None:
    code = (
        f"import sys; sys.argv = ['slipway', 'cost', '--plan', {LOCAL!r}, '--max', '1']\n"
        "from slipway.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: print('ended', end.code)\n"
        f"print([name for name in {(*HEAVY, 'boto3')} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["ended 3", "[]"]
    assert done.stderr.startswith("slipway: the worst case is")
