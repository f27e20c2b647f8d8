"""docs/serving.md says what the code says."""

import re
from pathlib import Path

from inference import metrics, settings

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "serving.md").read_text()


def test_the_page_has_every_setting_as_the_code_documents_it() -> None:
    assert settings.__doc__ is not None
    rows = [line for line in settings.__doc__.splitlines() if line.startswith("|")]
    assert len(rows) > 15 and "\n".join(rows) in PAGE
    variables = {*settings._VARIABLES, *settings._WORDS, "SAGEMAKER_BASE_DIR", "SAGEMAKER_MULTI_MODEL"}
    assert variables == {row.split("|")[1].strip() for row in rows[2:]}


def test_the_page_has_every_metric() -> None:
    assert set(re.findall(r"^\| `(slipway_[a-z_]+)` \|", PAGE, re.M)) == metrics.METRIC_NAMES


def test_the_engines_are_those_of_the_settings() -> None:
    assert {"auto", *re.findall(r"^\| `([a-z]+)` \| ", PAGE, re.M)} == set(settings.ENGINES)


def test_what_it_links_to_is_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / link).is_file(), link
