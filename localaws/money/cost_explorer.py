"""Cost Explorer's costs: what the ledger has, by UTC hour, day or month, grouped and filtered. AWS's are a day late.

    aws ce get-cost-and-usage --time-period Start=2026-01-01,End=2026-02-01 --granularity MONTHLY \\
        --metrics UnblendedCost --group-by Type=DIMENSION,Key=SERVICE
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from localaws.cloud import Call, Cloud, Handler
from localaws.errors import AwsError
from localaws.money import bill, filters, forecast, periods, prices, samples
from localaws.money.bill import Charge, text

ZERO = Decimal(0)
COSTS = ("AmortizedCost", "BlendedCost", "NetAmortizedCost", "NetUnblendedCost", "UnblendedCost")
METRICS = (*COSTS, "UsageQuantity", "NormalizedUsageAmount")
FORECAST_METRICS = ("AMORTIZED_COST", "BLENDED_COST", "NET_AMORTIZED_COST", "NET_UNBLENDED_COST", "UNBLENDED_COST")
MAX_GROUPS = 2
PAGE_ROWS = 1000  # groups of all periods in one answer
INTERVAL = Decimal("0.2")  # half the width of a forecast's interval, as a share

Key = tuple[str, ...]


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def interval(request: Mapping[str, Any]) -> tuple[float, float]:
    """The TimePeriod in epoch seconds. Raises AwsError."""
    given, hourly = request["TimePeriod"], request.get("Granularity") == "HOURLY"
    for name in ("Start", "End"):
        if not hourly and len(given[name]) > periods.DATE_LENGTH:
            raise invalid(f"{name} is {given[name]}; times of a day need Granularity HOURLY, else give yyyy-MM-dd")
    begin, end = periods.parse(given["Start"]), periods.parse(given["End"])
    if begin >= end:
        raise invalid("Start date (and hour) should be before end date (and hour)")
    return begin, end


def get_cost_and_usage(call: Call) -> Mapping[str, Any]:
    """from the ledger, without AWS's delay; all cost metrics are one; pages of 1000 groups"""
    if any(group.get("Key") == "RESOURCE_ID" for group in call.request.get("GroupBy", [])):
        raise invalid("RESOURCE_ID is a group of GetCostAndUsageWithResources only")
    return _costs(call)


def get_cost_and_usage_with_resources(call: Call) -> Mapping[str, Any]:
    """resources by ARN; of all services and of all time, where AWS has 14 days"""
    return _costs(call)


def _costs(call: Call) -> Mapping[str, Any]:
    request, cloud = call.request, call.cloud
    samples.take(cloud)
    wanted, (begin, end) = request.get("Metrics", ["UnblendedCost"]), interval(request)
    unknown = [name for name in wanted if name not in METRICS]
    if unknown or not wanted:
        raise invalid(f"Metrics has {', '.join(unknown) or 'nothing'}; allowed: {', '.join(METRICS)}")
    chosen, keys = filters.test(cloud, request.get("Filter")), _keys(cloud, request.get("GroupBy", []))
    unit = request["Granularity"]
    rows = [
        (span, key, charges)
        for span in periods.split(begin, end, unit)
        for key, charges in _grouped(filter(chosen, bill.charges(cloud, *span)), keys)
    ]
    first, following = _page(len(rows), request.get("NextPageToken"))
    results = _results(rows[first : first + PAGE_ROWS], unit, wanted, grouped=bool(keys))
    return {
        "GroupDefinitions": request.get("GroupBy", []),
        "ResultsByTime": results,
        "DimensionValueAttributes": [],
        "NextPageToken": following,
    }


def _page(count: int, token: str | None) -> tuple[int, str | None]:
    """The first row of a page and the token of the next."""
    if token is not None and not (token.isdigit() and int(token) < count):
        raise AwsError("InvalidNextTokenException", f"NextPageToken is {token!r}; give that of the previous answer.")
    first = int(token or 0)
    return first, str(first + PAGE_ROWS) if first + PAGE_ROWS < count else None


def _keys(cloud: Cloud, groups: Sequence[Mapping[str, str]]) -> list[Callable[[Charge], str]]:
    """What each group reads of a charge. Raises AwsError."""
    if len(groups) > MAX_GROUPS:
        raise invalid(f"GroupBy has {len(groups)} groups; at most {MAX_GROUPS} are allowed")
    return [_key(cloud, group.get("Type", "DIMENSION"), group["Key"]) for group in groups]


def _key(cloud: Cloud, kind: str, name: str) -> Callable[[Charge], str]:
    if kind == "TAG":
        return lambda charge: f"{name}${filters.tag(cloud, charge, name)}"
    if kind != "DIMENSION":
        raise invalid(f"GroupBy has type {kind}; localaws groups by DIMENSION and TAG")
    return filters.dimension(name)


def _grouped(charges: Iterable[Charge], keys: Sequence[Callable[[Charge], str]]) -> Iterator[tuple[Key, list[Charge]]]:
    """By key; without keys one group. A period in which nothing was used has one empty row."""
    found: dict[Key, list[Charge]] = {} if keys else {(): []}
    for charge in charges:
        found.setdefault(tuple(read(charge) for read in keys), []).append(charge)
    yield from sorted(found.items()) or [((), [])]


def _results(
    rows: Sequence[tuple[tuple[float, float], Key, list[Charge]]], unit: str, wanted: Sequence[str], *, grouped: bool
) -> list[dict[str, Any]]:
    write = periods.time_text if unit == "HOURLY" else periods.date_text
    results: dict[tuple[float, float], dict[str, Any]] = {}
    for span, key, charges in rows:
        shown = {"Start": write(span[0]), "End": write(span[1])}
        result = results.setdefault(span, {"TimePeriod": shown, "Total": {}, "Groups": [], "Estimated": True})
        metrics = {name: _metric(name, charges) for name in wanted}
        if not grouped:
            result["Total"] = metrics
        elif key:
            result["Groups"].append({"Keys": list(key), "Metrics": metrics})
    return list(results.values())


def _metric(name: str, charges: Sequence[Charge]) -> dict[str, str]:
    if name in COSTS:
        amount = sum((charge.usd for charge in charges if charge.usd is not None), ZERO)
        return {"Amount": text(amount), "Unit": prices.CURRENCY}
    if name == "NormalizedUsageAmount":
        return {"Amount": "0", "Unit": "N/A"}
    found = {charge.unit for charge in charges}
    amount = sum((charge.quantity for charge in charges), ZERO)
    return {"Amount": text(amount), "Unit": found.pop() if len(found) == 1 else "N/A"}


def get_cost_forecast(call: Call) -> Mapping[str, Any]:
    """the last week's spending goes on; the interval is 20 % wide to either side"""
    request, cloud = call.request, call.cloud
    samples.take(cloud)
    (begin, end), now = interval(request), cloud.clock.now()
    if request["Metric"] not in FORECAST_METRICS:
        raise invalid(f"Metric is {request['Metric']}; localaws forecasts {', '.join(FORECAST_METRICS)}")
    if begin < periods.AROUND["DAILY"](now)[0]:
        raise invalid(f"Start is {request['TimePeriod']['Start']}; a forecast begins today or later")
    rate = forecast.Bills(cloud).rate(filters.test(cloud, request.get("Filter")), now)
    if rate is None:
        raise AwsError("DataUnavailableException", "Insufficient amount of historical data to generate forecast.")
    write = periods.time_text if request["Granularity"] == "HOURLY" else periods.date_text
    spans = list(periods.split(begin, end, request["Granularity"]))
    means = [rate * Decimal(last - first) for first, last in spans]
    return {
        "Total": {"Amount": text(sum(means, ZERO)), "Unit": prices.CURRENCY},
        "ForecastResultsByTime": [
            {
                "TimePeriod": {"Start": write(span[0]), "End": write(span[1])},
                "MeanValue": text(mean),
                "PredictionIntervalLowerBound": text(mean * (1 - INTERVAL)),
                "PredictionIntervalUpperBound": text(mean * (1 + INTERVAL)),
            }
            for span, mean in zip(spans, means, strict=True)
        ],
    }


OPERATIONS: dict[str, Handler] = {
    "GetCostAndUsage": get_cost_and_usage,
    "GetCostAndUsageWithResources": get_cost_and_usage_with_resources,
    "GetCostForecast": get_cost_forecast,
}
