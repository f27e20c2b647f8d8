"""The teardown's parts: what asks for what, what is in whose way, what a killed run leaves."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from slipway.engine import Engine
from slipway.errors import SlipwayError
from slipway.leaks import Leftover
from slipway.project import Stack
from slipway.searches import BY_NAME, BY_TAG
from slipway.state.files import Folder
from slipway.teardown import arns, recorded, removal, worth
from slipway.teardown.contents import empty_bucket
from slipway.teardown.removal import REMOVERS, in_order, remove_all
from slipway.teardown.worth import PRICED, Worth, in_words, total, usd
from slipway.verbs.teardown import confirm, is_prod, refuse_living

REGION = "eu-west-1"


@pytest.fixture
def stack(tmp_path: Path) -> Any:
    with mock_aws():
        yield Stack(root=tmp_path, project="slipway", name="dev", region=REGION, environment={})


def leftover(kind: str, name: str = "x") -> Leftover:
    return Leftover(kind=kind, name=name, how="name")


def test_what_is_searched_for_can_be_priced_and_removed() -> None:
    kinds = {*BY_NAME, *BY_TAG}
    assert PRICED.keys() == kinds == REMOVERS.keys()
    assert {kind for kind, _ in arns.KINDS.values()} | {"bucket", "topic"} <= kinds


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("schedule", "endpoint"),  # it may start one
        ("function", "endpoint"),
        ("tuning job", "training job"),
        ("scalable target", "endpoint"),
        ("endpoint", "endpoint configuration"),
        ("endpoint", "log group"),  # its servers would write a new one
        ("subscription", "topic"),
        ("trail", "bucket"),  # it would write into it
        ("nat gateway", "elastic ip"),
        ("network interface", "security group"),
        ("security group", "vpc"),
        ("subnet", "vpc"),
        ("bucket", "encryption key"),
        ("training job", "role"),
    ],
)
def test_nothing_is_removed_before_what_uses_it(first: str, then: str) -> None:
    assert in_order([leftover("strange"), leftover(then), leftover(first)]) == [
        leftover(first),
        leftover(then),
        leftover("strange"),
    ]


@pytest.mark.parametrize(
    ("arn", "identified"),
    [
        ("arn:aws:s3:::a.bucket", ("bucket", "a.bucket")),
        ("arn:aws:sagemaker:r:1:endpoint/e", ("endpoint", "e")),
        ("arn:aws:ecr:r:1:repository/team/image", ("image repository", "team/image")),
        ("arn:aws:logs:r:1:log-group:/aws/lambda/f:*", ("log group", "/aws/lambda/f")),
        ("arn:aws:sns:r:1:t", ("topic", "arn:aws:sns:r:1:t")),
        ("arn:aws:sns:r:1:t:6-7", ("sns t", "arn:aws:sns:r:1:t:6-7")),
        ("arn:aws:kms:r:1:key/1-2", ("encryption key", "1-2")),
        ("arn:aws:ec2:r:1:vpc-endpoint/vpce-1", ("vpc endpoint", "vpce-1")),
        ("arn:aws:dynamodb:r:1:table/t", ("dynamodb table", "arn:aws:dynamodb:r:1:table/t")),
    ],
)
def test_an_arn_tells_kind_and_identity(arn: str, identified: tuple[str, str]) -> None:
    assert arns.identify(arn) == identified


def test_what_has_no_price_is_never_counted_as_zero(stack: Stack) -> None:
    unknown = worth.worth(stack, leftover("dynamodb table", "arn:aws:dynamodb:r:1:table/t"))
    elsewhere = worth.worth(Stack(**(vars_of(stack) | {"region": "mx-central-1"})), leftover("dashboard"))
    free = worth.worth(stack, leftover("role"))
    assert unknown == Worth(usd_month=None, reason="no price known for dynamodb table")
    assert elsewhere.usd_month is None and "slipway prices refresh --region mx-central-1" in elsewhere.reason
    assert free == Worth(usd_month=Decimal(0), reason="IAM bills nothing")
    priced = [unknown, elsewhere, free, Worth(usd_month=Decimal("7.30"), reason="")]
    assert total(priced) == (Decimal("7.30"), 2)
    assert in_words(priced) == "USD 7.30/month (USD 0.01 an hour), 2 without a known price"


def vars_of(stack: Stack) -> dict[str, Any]:
    return {name: getattr(stack, name) for name in ("root", "project", "name", "region", "environment")}


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.00"),
        ("1234.567", "1,234.57"),
        ("0.00876", "0.01"),
        ("0.00012", "0.00012"),
        ("1E-9", "less than 0.0001"),
    ],
)
def test_amounts_are_rounded_only_for_people(amount: str, shown: str) -> None:
    assert usd(Decimal(amount)) == shown


def test_one_thing_that_aws_keeps_holds_no_other_back(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(stack: Stack, name: str, show: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not yours"}}, "DeleteTopic")

    monkeypatch.setitem(removal.REMOVERS, "topic", refuse)
    boto3.client("logs", REGION).create_log_group(logGroupName="/aws/lambda/slipway-dev-guard")
    left = [leftover("topic"), leftover("log group", "/aws/lambda/slipway-dev-guard"), leftover("strange")]
    failures = {failure.leftover.kind: failure.reason for failure in remove_all(stack, left, lambda text: None)}
    assert failures == {
        "topic": "AccessDenied: not yours",
        "strange": "slipway cannot remove a strange; remove it by hand",
    }
    assert boto3.client("logs", REGION).describe_log_groups()["logGroups"] == []


def test_what_was_held_by_another_thing_gets_a_second_pass(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []

    def held(stack: Stack, name: str, show: Any) -> None:
        if "role" not in removed:
            raise SlipwayError("the role holds it")
        removed.append("topic")

    monkeypatch.setitem(removal.REMOVERS, "topic", held)
    monkeypatch.setitem(removal.REMOVERS, "role", lambda stack, name, show: removed.append("role"))
    assert remove_all(stack, [leftover("topic"), leftover("role")], lambda text: None) == []
    assert removed == ["role", "topic"]


def test_a_bucket_is_emptied_of_what_no_listing_shows(stack: Stack) -> None:
    s3 = boto3.client("s3", REGION)
    s3.create_bucket(Bucket="full", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket="full", Key="k", Body=b"")
    s3.delete_object(Bucket="full", Key="k")
    s3.create_multipart_upload(Bucket="full", Key="half")
    said: list[str] = []
    assert empty_bucket(stack, "full", said.append) == 4  # two versions, a marker, an upload
    assert said[-1] == "full: 4 versions and unfinished uploads removed"
    s3.delete_bucket(Bucket="full")
    assert empty_bucket(stack, "full", said.append) == 0


def test_only_the_stacks_name_removes_prod(stack: Stack) -> None:
    file = stack.root / "Pulumi.dev.yaml"
    file.write_text("config: {slipway:owner: ann}")
    assert not is_prod(stack)
    confirm(stack, yes=True, name="")
    with pytest.raises(SlipwayError, match=r"stack dev is on a real account; give --yes") as unasked:
        confirm(stack, yes=False, name="")
    assert unasked.value.exit_code == 2
    for text in ("config: {slipway:preset: prod}", "config: {slipway:protect: true}"):
        file.write_text(text)
        with pytest.raises(SlipwayError, match=r"is prod, for which --yes is not enough; give --name dev"):
            confirm(stack, yes=True, name="")
        with pytest.raises(SlipwayError, match=r"'deve' is not the stack's name, which is 'dev'; nothing was removed"):
            confirm(stack, yes=True, name="deve")
        confirm(stack, yes=False, name="dev")


def state(*types: str) -> str:
    urn = "urn:pulumi:dev::slipway::{}::one"
    return json.dumps({"deployment": {"resources": [{"type": kind, "urn": urn.format(kind)} for kind in types]}})


def test_leaks_of_a_stack_that_is_up_are_not_removed_behind_pulumis_back(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "call", lambda engine, *words: state("pulumi:pulumi:Stack", "aws:s3/bucket:Bucket"))
    with pytest.raises(SlipwayError, match=r"stack dev is up: 1 resources in its state.*slipway down --stack dev"):
        refuse_living(stack)
    monkeypatch.setattr(Engine, "call", lambda engine, *words: state("pulumi:pulumi:Stack", "pulumi:providers:aws"))
    refuse_living(stack)


def test_notes_of_interrupted_operations_are_taken_out_of_the_state(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[dict[str, Any]] = []

    def call(engine: Engine, *words: str) -> str:
        imported.append(json.loads(Path(words[-1]).read_text()))
        return ""

    monkeypatch.setattr(Engine, "call", call)
    known = {"version": 3, "deployment": {"resources": [], "pending_operations": [{"type": "creating"}]}}
    assert recorded.clear_pending(stack, known) == 1
    assert imported == [{"version": 3, "deployment": {"resources": []}}]
    assert recorded.clear_pending(stack, imported[0]) == 0 and len(imported) == 1


def test_a_stack_that_its_backend_does_not_know_has_no_state(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(engine: Engine, *words: str) -> str:
        raise SlipwayError("pulumi stack export failed:\nerror: no stack named 'dev' found")

    monkeypatch.setattr(Engine, "call", unknown)
    assert recorded.recorded(stack) is None and recorded.resources(None) == []


def test_a_state_whose_attributes_were_cut_off_is_readable_again(tmp_path: Path) -> None:
    """A killed engine leaves the file that it writes beside the state empty; the state itself is whole."""
    folder = tmp_path / ".pulumi" / "stacks"
    folder.mkdir(parents=True)
    for name, text in {"dev.json": "{}", "dev.json.attrs": "", "prod.json": "{}", "prod.json.attrs": "{}"}.items():
        (folder / name).write_text(text)
    files = Folder(tmp_path)
    assert files.names(".pulumi") == [".pulumi/stacks/dev.json", ".pulumi/stacks/prod.json"]
    assert files.mend(".pulumi") == 1 and files.mend(".pulumi") == 0
    files.delete(".pulumi/stacks/prod.json")
    assert sorted(path.name for path in folder.iterdir()) == ["dev.json"]
