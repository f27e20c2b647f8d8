"""docs/dashboards/serving.json: every expression is PromQL over metrics that the server has, every panel has a unit."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from inference.metrics import METRIC_NAMES, Metrics, SharedTable
from tests.unit.slipway.exports import ROOT

TEXT = Metrics(SharedTable(rows=1)).render({"engine": "torch", "version": "1", "task": "x"}).decode()
METRICS = dict(re.findall(r"^# TYPE (\w+) (\w+)$", TEXT, re.MULTILINE))
SERIES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
LABELS = {"job", "instance", *re.findall(r'[{,](\w+)="', TEXT)}
VALUES = {name: set(re.findall(rf'{name}="(\w+)"', TEXT)) for name in ("outcome", "phase")}
COLUMNS = 24

DASHBOARD = json.loads((ROOT / "docs" / "dashboards" / "serving.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


def selectors(node: Any) -> Iterator[Any]:
    """Every vector selector of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        if (child := getattr(node, name, None)) is not None:
            yield from selectors(child)
    for child in getattr(node, "args", []):
        yield from selectors(child)


def parsed(expression: str) -> Any:
    """Grafana's variables stand for a duration and for patterns."""
    return promql_parser.parse(expression.replace("$__rate_interval", "1m"))


def test_every_metric_of_the_server_is_shown_and_no_other() -> None:
    assert METRICS.keys() == METRIC_NAMES
    known = {name + ending: name for name, kind in METRICS.items() for ending in SERIES[kind]}
    used = {selector.name for _, expression in EXPRESSIONS for selector in selectors(parsed(expression))}
    assert used <= known.keys()
    assert {known[name] for name in used} == METRICS.keys()


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_an_expression_filters_by_what_the_reader_chose_and_by_labels_that_exist(title: str, expression: str) -> None:
    found = list(selectors(parsed(expression)))
    assert found
    for selector in found:
        matchers = {matcher.name: matcher for matcher in selector.matchers.matchers}
        assert matchers["job"].value == "$job" and matchers["instance"].value == "$instance"
        assert matchers.keys() <= LABELS
        for name, allowed in VALUES.items():
            if name in matchers:
                assert set(matchers[name].value.split("|")) <= allowed
    grouped = {
        name.strip() for names in re.findall(r"\b(?:by|ignoring) \(([^)]*)\)", expression) for name in names.split(",")
    }
    assert grouped <= LABELS


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_counters_and_histograms_are_read_as_rates(title: str, expression: str) -> None:
    for name in re.findall(r"slipway_\w+", expression):
        counter = name.endswith(("_total", "_bucket", "_sum", "_count"))
        assert counter == bool(re.search(rf"(rate|increase)\({name}\b", expression)), name


def test_quantiles_keep_the_buckets() -> None:
    found = [expression for _, expression in EXPRESSIONS if "histogram_quantile" in expression]
    assert {re.match(r"histogram_quantile\(([\d.]+), sum by \(le\)", one)[1] for one in found} == {"0.5", "0.9", "0.99"}  # type: ignore[index]


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 20
    assert panel["fieldConfig"]["defaults"]["unit"]
    for part in (panel, *panel["targets"]):
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not own & cells and at["x"] + at["w"] <= COLUMNS
        cells |= own
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_it_can_be_imported_anywhere() -> None:
    assert DASHBOARD["id"] is None and DASHBOARD["schemaVersion"] >= 39
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "job", "instance"]
    for variable in DASHBOARD["templating"]["list"][1:]:
        assert variable["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert re.match(r"label_values\(slipway_workers\b", variable["definition"])
