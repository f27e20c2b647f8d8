"""One comment, ours, edited; never another's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.ci.github import COMMENT_LIMIT_CHARACTERS, GitHub, add_to_summary
from slipway.errors import SlipwayError
from tests.unit.slipway.fake_github import FakeGitHub, fake_github


@pytest.fixture
def server() -> Iterator[FakeGitHub]:
    with fake_github() as running:
        yield running


def test_the_second_report_edits_the_first(server: FakeGitHub) -> None:
    github = GitHub.of(server.environment())
    first = github.comment(7, "preview of dev", "one")
    assert github.comment(7, "preview of dev", "two") == first
    assert server.bodies(7) == ["<!-- slipway: preview of dev -->\ntwo"]
    assert [method for method, path in server.calls if path != "/user"] == ["GET", "POST", "GET", "PATCH"]


def test_topics_and_pull_requests_have_comments_of_their_own(server: FakeGitHub) -> None:
    github = GitHub.of(server.environment())
    for number, topic in ((7, "preview of dev"), (7, "stack pr-7"), (8, "preview of dev")):
        github.comment(number, topic, "text")
    assert (len(server.bodies(7)), len(server.bodies(8))) == (2, 1)


def test_a_marker_that_somebody_else_wrote_is_not_ours(server: FakeGitHub) -> None:
    forged = "<!-- slipway: preview of dev -->\nall is well"
    server.add(7, "mallory", forged)
    GitHub.of(server.environment()).comment(7, "preview of dev", "refused")
    assert server.bodies(7, "mallory") == [forged]
    assert server.bodies(7) == ["<!-- slipway: preview of dev -->\nrefused"]


def test_it_is_found_behind_a_hundred_others(server: FakeGitHub) -> None:
    for _ in range(100):
        server.add(7, "reviewer", "why?")
    github = GitHub.of(server.environment())
    github.comment(7, "preview of dev", "one")
    github.comment(7, "preview of dev", "two")
    assert server.bodies(7) == ["<!-- slipway: preview of dev -->\ntwo"]


def test_a_report_that_is_too_long_is_cut_and_says_so(server: FakeGitHub) -> None:
    GitHub.of(server.environment()).comment(7, "preview of dev", "x" * 2 * COMMENT_LIMIT_CHARACTERS)
    (body,) = server.bodies(7)
    assert len(body) == COMMENT_LIMIT_CHARACTERS and "The whole report is in the job's summary" in body


def test_a_wrong_token_is_a_sentence(server: FakeGitHub) -> None:
    github = GitHub.of({**server.environment(), "GITHUB_TOKEN": "old"})
    with pytest.raises(SlipwayError, match=r"GitHub refused .*: 401 .*Bad credentials"):
        github.comment(7, "preview of dev", "text")


def test_a_server_that_is_not_there_is_a_sentence() -> None:
    github = GitHub(api="http://127.0.0.1:9", repository="team/model", token="t")
    with pytest.raises(SlipwayError, match=r"GitHub at http://127\.0\.0\.1:9 cannot be reached"):
        github.comment(7, "preview of dev", "text")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "needs GITHUB_TOKEN and GITHUB_REPOSITORY"),
        ({"GITHUB_TOKEN": "t", "GITHUB_REPOSITORY": "model"}, "GITHUB_REPOSITORY is 'model'; it should look like"),
    ],
)
def test_what_is_missing_is_named_and_wrong_usage(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SlipwayError, match=said) as caught:
        GitHub.of(environment)
    assert caught.value.exit_code == 2


def test_the_token_is_not_shown(server: FakeGitHub) -> None:
    assert server.environment()["GITHUB_TOKEN"] not in repr(GitHub.of(server.environment()))


def test_the_summary_is_added_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place))
    add_to_summary("one")
    add_to_summary("two")
    assert place.read_text() == "one\ntwo\n"
