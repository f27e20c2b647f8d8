"""The choice of the answer's media type by the Accept header."""

import pytest

from inference.http.errors import RequestError
from inference.http.negotiate import negotiate

OFFERED = ("application/json", "text/csv", "application/x-npy")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/*", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("application/json;q=0.5, application/x-npy", "application/x-npy"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
        ("application/xml, */*;q=0.1", "application/json"),
        ("text/csv;q=nonsense, application/x-npy;q=0.2", "application/x-npy"),
        ("text/csv; charset=utf-8", "text/csv"),
    ],
)
def test_the_best_accepted_type_wins(accept: str, media: str) -> None:
    assert negotiate(accept, OFFERED) == media


@pytest.mark.parametrize("accept", ["application/xml", "text/html, image/*", "application/json;q=0", ",", "q=1"])
def test_nothing_acceptable_is_406(accept: str) -> None:
    with pytest.raises(RequestError) as caught:
        negotiate(accept, OFFERED)
    assert caught.value.status == 406 and "application/json, text/csv, application/x-npy" in caught.value.message
