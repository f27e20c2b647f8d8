"""Service Quotas, and what is above them refused in AWS's words."""

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ECHO_SERVER, REPOSITORY_ROOT, Aws, running
from tests.unit.localaws.hosting import config, model, serverless, serving, variant
from tests.unit.localaws.test_tuning import tune

FILE = REPOSITORY_ROOT / "slipway" / "preflight" / "quotas.json"
TYPES = json.loads(FILE.read_text())["types"]
TRAINING, SPOT = TYPES["ml.m5.large"]["Training"][0], TYPES["ml.m5.large"]["SpotTraining"][0]
HOSTING, TRANSFORM = TYPES["ml.m5.large"]["Hosting"][0], TYPES["ml.m5.large"]["BatchTransform"][0]
ALL_ENDPOINTS = "L-7A3DF611"
WAITING = "#!/bin/sh\nexec sleep 600\n"


@pytest.fixture(scope="module")
def account() -> Iterator[Aws]:
    with running("--quotas", str(FILE)) as (url, _):
        yield Aws(url)


@pytest.fixture
def limit(account: Aws) -> Iterator[Any]:
    """Sets applied values; they are taken back afterwards."""
    changed: dict[str, Any] = {}

    def set_to(**values: int) -> None:
        named = {code.replace("_", "-"): number for code, number in values.items()}
        changed.update(named)
        account.post("/_localaws/quotas", named)

    yield set_to
    account.post("/_localaws/quotas", dict.fromkeys(changed))


@pytest.fixture(scope="module")
def image(account: Aws) -> str:
    return account.image({"train": WAITING, "serve": ECHO_SERVER})


def quota(account: Aws, code: str) -> dict[str, Any]:
    found: dict[str, Any] = account.client("service-quotas").get_service_quota(ServiceCode="sagemaker", QuotaCode=code)[
        "Quota"
    ]
    return found


def test_a_rehearsal_has_what_it_needs_and_the_default_is_told(account: Aws) -> None:
    found = quota(account, HOSTING)
    assert (found["QuotaName"], found["Value"]) == ("ml.m5.large for endpoint usage", 20.0)
    default = account.client("service-quotas").get_aws_default_service_quota(ServiceCode="sagemaker", QuotaCode=HOSTING)
    assert default["Quota"]["Value"] == TYPES["ml.m5.large"]["Hosting"][1]


def test_all_of_them_come_in_pages(account: Aws) -> None:
    pages = list(
        account.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    )
    codes = [one["QuotaCode"] for page in pages for one in page["Quotas"]]
    assert len(codes) == len(set(codes)) > 600 and len(pages) > 6


@pytest.mark.parametrize(
    "asked", [{"ServiceCode": "ec2", "QuotaCode": "L-1"}, {"ServiceCode": "sagemaker", "QuotaCode": "L-1"}]
)
def test_what_is_not_known_does_not_exist(account: Aws, asked: dict[str, str]) -> None:
    with pytest.raises(ClientError) as caught:
        account.client("service-quotas").get_service_quota(**asked)
    assert caught.value.response["Error"]["Code"] == "NoSuchResourceException"


def test_an_increase_is_asked_for_once_and_stays_pending(account: Aws) -> None:
    quotas = account.client("service-quotas")
    wish = {"ServiceCode": "sagemaker", "QuotaCode": TRANSFORM, "DesiredValue": 40.0}
    assert quotas.request_service_quota_increase(**wish)["RequestedQuota"]["Status"] == "PENDING"
    with pytest.raises(quotas.exceptions.ResourceAlreadyExistsException):
        quotas.request_service_quota_increase(**wish)
    with pytest.raises(quotas.exceptions.IllegalArgumentException):
        quotas.request_service_quota_increase(**{**wish, "QuotaCode": HOSTING, "DesiredValue": 1.0})
    history = quotas.list_requested_service_quota_change_history(ServiceCode="sagemaker")["RequestedQuotas"]
    assert [one["QuotaCode"] for one in history] == [TRANSFORM]
    assert quota(account, TRANSFORM)["Value"] == 20.0


def test_a_training_job_above_its_quota_is_refused_in_aws_words(account: Aws, image: str, limit: Any) -> None:
    limit(**{TRAINING.replace("-", "_"): 1})
    first = account.train(image)
    with pytest.raises(ClientError) as caught:
        account.train(image)
    assert caught.value.response["Error"]["Code"] == "ResourceLimitExceeded"
    assert caught.value.response["Error"]["Message"] == (
        "The account-level service limit 'ml.m5.large for training job usage' is 1 Instances, with current utilization "
        "of 1 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an increase for "
        "this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota."
    )
    account.client("sagemaker").stop_training_job(TrainingJobName=first)
    account.job_done(first)
    again = account.train(image)  # what has ended counts no more
    account.client("sagemaker").stop_training_job(TrainingJobName=again)
    account.job_done(again)


def test_spot_jobs_have_a_quota_of_their_own(account: Aws, image: str, limit: Any) -> None:
    limit(**{SPOT.replace("-", "_"): 0})
    with pytest.raises(ClientError, match=r"'ml\.m5\.large for spot training job usage' is 0 Instances"):
        account.train(
            image,
            EnableManagedSpotTraining=True,
            StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        )


def test_endpoints_count_by_type_and_in_all_and_a_blue_green_move_counts_both(
    account: Aws, image: str, limit: Any
) -> None:
    sagemaker, made = account.client("sagemaker"), model(account, image)
    one, two = config(account, variant(made)), config(account, variant(made, count=2))
    limit(**{HOSTING.replace("-", "_"): 2})
    endpoint = serving(account, one)
    with pytest.raises(ClientError, match="utilization of 1 Instances and a request delta of 2 Instances"):
        account.endpoint(two)
    with pytest.raises(ClientError, match="utilization of 1 Instances and a request delta of 2 Instances"):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=two)
    more = [{"VariantName": "main", "DesiredInstanceCount": 3}]
    with pytest.raises(ClientError, match="request delta of 2 Instances"):
        sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=more)
    limit(**{ALL_ENDPOINTS.replace("-", "_"): 1})
    with pytest.raises(ClientError, match="'Number of instances across active endpoints' is 1 Instances"):
        account.endpoint(config(account, variant(made, InstanceType="ml.c5.large")))
    assert account.settled(account.endpoint(config(account, serverless(made))))["EndpointStatus"] == "InService"


def test_registering_more_than_the_quota_scales_nothing(account: Aws, image: str, limit: Any) -> None:
    endpoint = serving(account, config(account, variant(model(account, image), InstanceType="ml.c4.large")))
    limit(**{TYPES["ml.c4.large"]["Hosting"][0].replace("-", "_"): 1})
    account.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{endpoint}/variant/main",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=2,
        MaxCapacity=3,
    )
    assert account.describe(endpoint)["ProductionVariants"][0]["DesiredInstanceCount"] == 1


@pytest.mark.parametrize("wrong", [{"L-1": 1}, {TRAINING: -1}, {TRAINING: "many"}, {TRAINING: True}, [TRAINING]])
def test_a_wrong_value_is_refused(account: Aws, wrong: Any) -> None:
    with pytest.raises(urllib.error.HTTPError):
        account.post("/_localaws/quotas", wrong)
    assert quota(account, TRAINING)["Value"] == 20.0


def test_without_a_file_nothing_is_known_and_nothing_refused(aws: Aws) -> None:
    with pytest.raises(ClientError):
        aws.client("service-quotas").get_service_quota(ServiceCode="sagemaker", QuotaCode=TRAINING)
    with pytest.raises(urllib.error.HTTPError):
        aws.post("/_localaws/quotas", {TRAINING: 1})


def test_a_tuning_job_asks_for_the_instances_of_its_parallel_jobs(account: Aws, image: str, limit: Any) -> None:
    limit(**{TRAINING.replace("-", "_"): 1})
    with pytest.raises(ClientError, match="request delta of 2 Instances") as caught:
        tune(account, image)
    assert caught.value.operation_name == "CreateHyperParameterTuningJob"
