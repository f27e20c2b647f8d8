"""Cost Explorer answers from the ledger: its sums are the meter's, by day and month, service, tag and resource."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws
from tests.unit.localaws.money import DAY, HOUR, lines, priced, step, usd

SUM = Decimal("1e-9")  # what twelve digits a day may differ


def text(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Two keys and a bucket over some 40 days; the account stays as it is from then on."""
    with priced(tmp_path_factory.mktemp("prices")) as found:
        to_noon = DAY / 2 - step(found) % DAY
        step(found, to_noon % DAY)
        kms = found.client("kms")
        for team in ("red", "blue"):
            kms.create_key(Tags=[{"TagKey": "team", "TagValue": team}])
        found.put("a", b"x" * 2**20)
        step(found, 40 * DAY)
        yield found


@pytest.fixture(scope="module")
def whole(aws: Aws) -> dict[str, str]:
    """A TimePeriod that has everything in it."""
    now = step(aws)
    return {"Start": text(now - 60 * DAY), "End": text(now + 2 * DAY)}


def costs(aws: Aws, period: dict[str, str], granularity: str = "DAILY", **more: Any) -> list[dict[str, Any]]:
    more.setdefault("Metrics", ["UnblendedCost"])
    answer = aws.client("ce").get_cost_and_usage(TimePeriod=period, Granularity=granularity, **more)
    return list(answer["ResultsByTime"])


def total(results: list[dict[str, Any]], metric: str = "UnblendedCost") -> Decimal:
    return sum((Decimal(result["Total"][metric]["Amount"]) for result in results), Decimal(0))


def groups(results: list[dict[str, Any]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for result in results:
        for group in result["Groups"]:
            name = " ".join(group["Keys"])
            found[name] = found.get(name, Decimal(0)) + Decimal(group["Metrics"]["UnblendedCost"]["Amount"])
    return found


@pytest.mark.parametrize("granularity", ["DAILY", "MONTHLY"])
def test_the_sum_of_a_bill_is_the_meters(aws: Aws, whole: dict[str, str], granularity: str) -> None:
    metered = usd([line for line in lines(aws) if line["usd"]])
    assert metered > 2
    assert abs(total(costs(aws, whole, granularity)) - metered) < SUM


def test_days_are_utc_days(aws: Aws, whole: dict[str, str]) -> None:
    service = {"Dimensions": {"Key": "SERVICE", "Values": ["AWS Key Management Service"]}}
    amounts = [result["Total"]["UnblendedCost"]["Amount"] for result in costs(aws, whole, Filter=service)]
    used = [round(Decimal(amount), 8) for amount in amounts if Decimal(amount)]
    full = round(Decimal(2 * 24) / 730, 8)
    assert used == [round(full / 2, 8), *[full] * 39, round(full / 2, 8)]  # from noon to noon


def test_groups_by_service_usage_type_and_tag(aws: Aws, whole: dict[str, str]) -> None:
    by_service = groups(costs(aws, whole, "MONTHLY", GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}]))
    assert set(by_service) == {"AWS Key Management Service", "Amazon Simple Storage Service"}
    by_tag = groups(costs(aws, whole, "MONTHLY", GroupBy=[{"Type": "TAG", "Key": "team"}]))
    assert set(by_tag) == {"team$red", "team$blue", "team$"}
    month = round(Decimal(40 * 24) / 730, 8)
    assert round(by_tag["team$red"], 8) == round(by_tag["team$blue"], 8) == month
    both = [{"Type": "DIMENSION", "Key": "USAGE_TYPE"}, {"Type": "DIMENSION", "Key": "REGION"}]
    names = set(groups(costs(aws, whole, "MONTHLY", GroupBy=both)))
    assert {"us-east-1-KMS-Keys us-east-1", "TimedStorage-ByteHrs us-east-1"} <= names


def test_filters_join_and_exclude(aws: Aws, whole: dict[str, str]) -> None:
    kms = {"Dimensions": {"Key": "SERVICE", "Values": ["AWS Key Management Service"]}}
    red = {"Tags": {"Key": "team", "Values": ["red"]}}
    whole_sum, kms_sum = total(costs(aws, whole)), total(costs(aws, whole, Filter=kms))
    assert round(total(costs(aws, whole, Filter={"And": [kms, red]})) * 2, 6) == round(kms_sum, 6)
    assert abs(total(costs(aws, whole, Filter={"Not": kms})) - (whole_sum - kms_sum)) < SUM
    untagged = {"Tags": {"Key": "team", "MatchOptions": ["ABSENT"]}}
    assert abs(total(costs(aws, whole, Filter={"Or": [kms, untagged]})) - whole_sum) < SUM


def test_quantities_have_units(aws: Aws, whole: dict[str, str]) -> None:
    kms = {"Dimensions": {"Key": "USAGE_TYPE", "Values": ["us-east-1-KMS-Keys"]}}
    results = costs(aws, whole, Metrics=["UsageQuantity"], Filter=kms)
    assert {result["Total"]["UsageQuantity"]["Unit"] for result in results} == {"key-month", "N/A"}  # and empty days
    assert round(total(results, "UsageQuantity"), 8) == round(Decimal(80 * 24) / 730, 8)


def test_resources_are_those_of_the_meter(aws: Aws, whole: dict[str, str]) -> None:
    s3 = {"Dimensions": {"Key": "SERVICE", "Values": ["Amazon Simple Storage Service"]}}
    group = [{"Type": "DIMENSION", "Key": "RESOURCE_ID"}]
    answer = aws.client("ce").get_cost_and_usage_with_resources(
        TimePeriod=whole, Granularity="MONTHLY", Filter=s3, GroupBy=group, Metrics=["UnblendedCost"]
    )
    [(resource, amount)] = groups(answer["ResultsByTime"]).items()
    assert resource == f"arn:aws:s3:::{aws.bucket}"
    assert abs(amount - usd(lines(aws, resource))) < SUM


def test_many_rows_come_in_pages(aws: Aws) -> None:
    now = step(aws)
    period = {name: f"{text(now - back * DAY)}T00:00:00Z" for name, back in (("Start", 30), ("End", 2))}
    group = [{"Type": "TAG", "Key": "team"}]
    found, token = [], None
    while True:
        more = {"NextPageToken": token} if token else {}
        answer = aws.client("ce").get_cost_and_usage(
            TimePeriod=period, Granularity="HOURLY", Metrics=["UnblendedCost"], GroupBy=group, **more
        )
        rows = [
            (item["TimePeriod"]["Start"], *one["Keys"]) for item in answer["ResultsByTime"] for one in item["Groups"]
        ]
        found.append(rows)
        token = answer.get("NextPageToken")
        if token is None:
            break
    assert [len(rows) for rows in found] == [1000, 1000, 16]  # 28 days, 3 groups
    assert len({row for rows in found for row in rows}) == 28 * 24 * 3


def test_tags_and_values_are_listed(aws: Aws, whole: dict[str, str]) -> None:
    ce = aws.client("ce")
    assert ce.get_tags(TimePeriod=whole)["Tags"] == ["team"]
    assert ce.get_tags(TimePeriod=whole, TagKey="team")["Tags"] == ["", "blue", "red"]
    values = ce.get_dimension_values(TimePeriod=whole, Dimension="SERVICE")
    assert values["TotalSize"] == 2
    assert {item["Value"] for item in values["DimensionValues"]} >= {"AWS Key Management Service"}


def test_a_tag_that_is_switched_off_is_not_seen(aws: Aws, whole: dict[str, str]) -> None:
    ce, group = aws.client("ce"), [{"Type": "TAG", "Key": "team"}]
    ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=[{"TagKey": "team", "Status": "Inactive"}])
    try:
        assert set(groups(costs(aws, whole, "MONTHLY", GroupBy=group))) == {"team$"}
        [tag] = ce.list_cost_allocation_tags(Status="Inactive")["CostAllocationTags"]
        assert tag["TagKey"] == "team"
    finally:
        ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=[{"TagKey": "team", "Status": "Active"}])
    assert len(groups(costs(aws, whole, "MONTHLY", GroupBy=group))) == 3


def test_a_forecast_goes_on_as_the_last_week(aws: Aws) -> None:
    now = step(aws)
    period = {"Start": text(now + DAY), "End": text(now + 31 * DAY)}
    kms = {"Dimensions": {"Key": "SERVICE", "Values": ["AWS Key Management Service"]}}
    answer = aws.client("ce").get_cost_forecast(
        TimePeriod=period, Metric="UNBLENDED_COST", Granularity="DAILY", Filter=kms
    )
    assert len(answer["ForecastResultsByTime"]) == 30
    assert round(Decimal(answer["Total"]["Amount"]), 8) == round(Decimal(2 * 30 * 24) / 730, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Metrics": ["Cost"]}, "Metrics has Cost"),
        ({"TimePeriod": {"Start": "2026-02-01", "End": "2026-01-01"}}, "Start date"),
        ({"TimePeriod": {"Start": "2026-02-01T00:00:00Z", "End": "2026-03-01T00:00:00Z"}}, "HOURLY"),
        ({"GroupBy": [{"Type": "DIMENSION", "Key": "RESOURCE_ID"}]}, "WithResources"),
        ({"GroupBy": [{"Type": "TAG", "Key": name} for name in "abc"]}, "at most 2"),
        ({"Filter": {"Dimensions": {"Key": "TENANCY", "Values": ["x"]}}}, "TENANCY is not emulated"),
        ({"Filter": {"And": [], "Or": []}}, "2 operators"),
    ],
)
def test_wrong_questions_are_refused(aws: Aws, change: dict[str, Any], message: str) -> None:
    request = {
        "TimePeriod": {"Start": "2026-01-01", "End": "2026-02-01"},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
    }
    with pytest.raises(ClientError, match=message):
        aws.client("ce").get_cost_and_usage(**{**request, **change})


def test_hours_of_a_day_add_up_to_it(aws: Aws) -> None:
    now = step(aws)
    day = now // DAY * DAY - 3 * DAY
    hours = {"Start": f"{text(day)}T00:00:00Z", "End": f"{text(day + DAY)}T00:00:00Z"}
    found = costs(aws, hours, "HOURLY")
    assert len(found) == DAY / HOUR
    assert abs(total(found) - total(costs(aws, {"Start": text(day), "End": text(day + DAY)}))) < SUM
