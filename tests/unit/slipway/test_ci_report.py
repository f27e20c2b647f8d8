"""Events of the engine become a plan, and a plan a report that says what a reviewer must know."""

from typing import Any

from slipway.ci.events import Change, Plan, read_plan
from slipway.ci.report import SHOWN_CHANGES, code, counts, fenced, preview_report, prose

BUCKET = "aws:s3/bucket:Bucket"
ENDPOINT = "aws:sagemaker/endpoint:Endpoint"


def step(change: str, name: str, type_: str = BUCKET, *, custom: bool = True, **facts: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::slipway::{type_}::{name}"
    return {
        "resourcePreEvent": {"metadata": {"op": change, "urn": urn, "type": type_, "new": {"custom": custom}} | facts}
    }


def plan(*raws: dict[str, Any], error: str = "") -> Plan:
    return read_plan(raws, "resourcePreEvent", error)


def violation(level: str) -> dict[str, Any]:
    facts = {"policyName": "tls-only", "enforcementLevel": level, "resourceUrn": "a::b::data", "message": "TLS\nno TLS"}
    return {"policyEvent": facts}


def test_operations_are_counted_and_a_replacement_once() -> None:
    found = plan(
        step("same", "a"),
        step("create", "b"),
        step("create-replacement", "c"),
        step("replace", "c", detailedDiff={"x": {"diffKind": "update"}, "name": {"diffKind": "update-replace"}}),
        step("delete-replaced", "c"),
        step("update", "d", diffs=["tags", "policy"]),
    )
    assert counts(found) == "1 to replace, 1 to update, 1 to create, 1 unchanged"
    assert {change.name: change.why for change in found.changes} == {"b": (), "c": ("name",), "d": ("policy", "tags")}


def test_what_only_groups_resources_is_left_out() -> None:
    found = plan(
        step("create", "store", "slipway:index:DataStore", custom=False),
        step("create", "aws", "pulumi:providers:aws"),
        step("read", "looked-up"),
    )
    assert (found.changes, found.unchanged) == ((), 0)


def test_a_mandatory_violation_refuses_and_advice_does_not() -> None:
    assert plan(violation("mandatory")).refused
    advised = plan(violation("advisory"))
    assert not advised.refused
    report = preview_report("dev", advised)
    assert "**Allowed.**" in report and "- **advice** `tls-only` on `data`: TLS no TLS" in report
    refused = preview_report("dev", plan(violation("mandatory"), error="the policy refuses"))
    assert "**Refused by the policy.**" in refused and "### Error" not in refused


def test_the_report_says_what_happens_to_the_endpoint() -> None:
    stories = {
        "create": "new endpoint",
        "update": "moves to a new",
        "replace": "does not answer",
        "delete": "is removed",
    }
    for change, words in stories.items():
        assert words in preview_report("dev", plan(step(change, "e", ENDPOINT))), change
    assert "goes on being served" in preview_report("dev", plan(step("update", "b")))


def test_a_failure_is_shown_and_nothing_is_promised() -> None:
    report = preview_report("dev", plan(step("create", "b"), error="2 error(s) in the configuration"))
    assert "**Failed.**" in report and "2 error(s) in the configuration" in report
    assert "### Endpoint" not in report and "Not judged" in report and "Allowed" not in report


def test_warnings_are_shown_and_debugging_is_not() -> None:
    said = [{"diagnosticEvent": {"severity": level, "message": f"{level} here"}} for level in ("warning", "debug")]
    report = preview_report("dev", plan(*said))
    assert "warning here" in report and "debug here" not in report


def test_deletions_come_first_and_long_lists_are_cut() -> None:
    changes = [Change(change="create", type=BUCKET, name=f"b{n}") for n in range(SHOWN_CHANGES)]
    changes.append(Change(change="delete", type=BUCKET, name="old"))
    report = preview_report(
        "dev", Plan(changes=tuple(changes), unchanged=0, violations=(), warnings=(), error="", exit_code=0)
    )
    rows = [line for line in report.splitlines() if line.startswith("| ")][2:]
    assert rows[0].startswith("| delete | `old`") and len(rows) == SHOWN_CHANGES and "... and 1 more." in report


def test_names_and_messages_cannot_break_out_of_their_place() -> None:
    assert code("a`|b\n# c") == "`a  b # c`"
    assert prose("see <b> [x](y) @team") == "see \\<b\\> \\[x\\](y) @\u200bteam"
    assert fenced("```\nhello") == "````text\n```\nhello\n````"
