"""What holds for all policies, whatever they say."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from localaws.iam.evaluator import Policies, Verdict, evaluate
from localaws.iam.patterns import matches
from tests.unit.localaws.iam.policy_texts import ROLE, ROOT, WORKER, allow, ask, made

ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "sqs:SendMessage"]
RESOURCES = ["arn:aws:s3:::a", "arn:aws:s3:::a/k", "arn:aws:s3:::b/k", "*"]
asks = st.builds(
    lambda action, resource, prefix: ask(action, resource, **({"s3__prefix": prefix} if prefix else {})),
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    st.sampled_from(["", "data/", "x"]),
)
conditions = st.sampled_from(
    [
        {},
        {"StringEquals": {"s3:prefix": "data/"}},
        {"StringNotLike": {"s3:prefix": "d*"}},
        {"Null": {"s3:prefix": "true"}},
    ]
)


def _statement(effect: str, actions: list[str], resources: list[str], inverted: int, condition: Any) -> dict[str, Any]:
    return {
        "Effect": effect,
        "NotAction" if inverted & 1 else "Action": actions,
        "NotResource" if inverted & 2 else "Resource": resources,
        "Condition": condition,
    }


statements = st.builds(
    _statement,
    st.sampled_from(["Allow", "Deny"]),
    st.lists(st.sampled_from([*ACTIONS, "s3:*", "*", "S3:get*"]), min_size=1, max_size=3),
    st.lists(st.sampled_from([*RESOURCES, "arn:aws:s3:::*", "arn:aws:s3:::a/*"]), min_size=1, max_size=3),
    st.integers(0, 3),
    conditions,
)
documents = st.lists(statements, min_size=1, max_size=4).map(lambda found: made(*found))
owners = st.sampled_from([{"AWS": ROLE}, {"AWS": ROOT}, {"AWS": WORKER.arn}, "*", {"AWS": "999999999999"}])


def _with_principal(pair: tuple[list[dict[str, Any]], Any]) -> Any:
    return made(*[{**statement, "Principal": pair[1]} for statement in pair[0]])


resource_documents = st.tuples(st.lists(statements, min_size=1, max_size=3), owners).map(_with_principal)
policies = st.builds(
    lambda identity, boundary, session, resource, owns: Policies(
        identity=identity, boundary=boundary, session=session, resource=resource, resource_owns=owns
    ),
    st.lists(documents, max_size=3),
    st.none() | documents,
    st.none() | documents,
    st.none() | resource_documents,
    st.booleans(),
)
RANK = {Verdict.EXPLICIT_DENY: 0, Verdict.IMPLICIT_DENY: 1, Verdict.ALLOWED: 2}
quick = settings(max_examples=150, deadline=None)


def _denying(statement: dict[str, Any]) -> dict[str, Any]:
    return {**statement, "Effect": "Deny"}


@quick
@given(asks, policies, statements)
def test_adding_a_deny_never_allows(what: Any, given_: Policies, statement: dict[str, Any]) -> None:
    before = evaluate(what, WORKER, given_)
    more = Policies(**{**vars(given_), "identity": [*given_.identity, made(_denying(statement))]})
    assert RANK[evaluate(what, WORKER, more).verdict] <= RANK[before.verdict]


@quick
@given(asks, policies)
def test_a_deny_of_everything_always_wins(what: Any, given_: Policies) -> None:
    wall = made({"Effect": "Deny", "Action": "*", "Resource": "*"})
    more = Policies(**{**vars(given_), "identity": [*given_.identity, wall]})
    assert evaluate(what, WORKER, more).verdict is Verdict.EXPLICIT_DENY


@quick
@given(asks, policies, documents)
def test_a_boundary_never_allows_more(what: Any, given_: Policies, boundary: Any) -> None:
    free = Policies(**{**vars(given_), "boundary": None})
    bound = Policies(**{**vars(given_), "boundary": boundary})
    assert RANK[evaluate(what, WORKER, bound).verdict] <= RANK[evaluate(what, WORKER, free).verdict]


@quick
@given(asks, policies)
def test_adding_an_allow_never_takes_away(what: Any, given_: Policies) -> None:
    more = Policies(**{**vars(given_), "identity": [*given_.identity, made(allow(what.action, what.resource))]})
    assert RANK[evaluate(what, WORKER, more).verdict] >= RANK[evaluate(what, WORKER, given_).verdict]


@quick
@given(st.text(max_size=12))
def test_a_text_matches_itself_and_a_star(text: str) -> None:
    assert matches(text, text)
    assert matches("*", text)
    assert matches(f"{text}*", f"{text}more")
