"""The API of Service Quotas, for service code sagemaker: what quotas.py knows."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from localaws import quotas
from localaws.cloud import ACCOUNT, GLOBAL, Call, Handler
from localaws.errors import AwsError
from localaws.paging import page
from localaws.quotas import Quota

CODE = "sagemaker"
NAME = "Amazon SageMaker"
PAGE_SIZE = 100


def _arn(call: Call, quota: Quota) -> str:
    return f"arn:aws:servicequotas:{call.region}:{ACCOUNT}:{CODE}/{quota.code}"


def _shown(call: Call, quota: Quota, value: float) -> dict[str, Any]:
    return {
        "ServiceCode": CODE,
        "ServiceName": NAME,
        "QuotaArn": _arn(call, quota),
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _table(call: Call) -> Mapping[str, Quota]:
    if call.request["ServiceCode"] != CODE:
        raise _missing(f"The request failed because the specified service {call.request['ServiceCode']} does not exist")
    return quotas.known(call.cloud)


def _missing(text: str) -> AwsError:
    return AwsError("NoSuchResourceException", text + ".")


def _quota(call: Call) -> Quota:
    table, code = _table(call), call.request["QuotaCode"]
    if code not in table:
        raise _missing(f"The request failed because the specified quota {code} does not exist")
    return table[code]


def get_service_quota(call: Call) -> Mapping[str, Any]:
    """service code sagemaker; applied values of an account that has asked for more, or set by /_localaws/quotas"""
    quota = _quota(call)
    return {"Quota": _shown(call, quota, quotas.value(call.cloud, quota))}


def get_aws_default_service_quota(call: Call) -> Mapping[str, Any]:
    """service code sagemaker; the file's default, 0 where it has none"""
    quota = _quota(call)
    return {"Quota": _shown(call, quota, quota.default or 0)}


def list_service_quotas(call: Call) -> Mapping[str, Any]:
    """service code sagemaker"""
    found = [_shown(call, quota, quotas.value(call.cloud, quota)) for quota in _table(call).values()]
    return _listed(call, "Quotas", found)


def list_aws_default_service_quotas(call: Call) -> Mapping[str, Any]:
    """service code sagemaker"""
    return _listed(call, "Quotas", [_shown(call, quota, quota.default or 0) for quota in _table(call).values()])


def _listed(call: Call, member: str, items: list[dict[str, Any]]) -> Mapping[str, Any]:
    shown, token = page(items, call.request.get("NextToken"), call.request.get("MaxResults", PAGE_SIZE))
    return {member: shown, "NextToken": token}


def request_service_quota_increase(call: Call) -> Mapping[str, Any]:
    """kept as PENDING: nobody decides here; /_localaws/quotas does what AWS's support would"""
    quota, desired = _quota(call), call.request["DesiredValue"]
    if desired <= quotas.value(call.cloud, quota):
        raise AwsError(
            "IllegalArgumentException", f"You must provide a quota value greater than the current value of {quota.code}"
        )
    requests = call.cloud.store(GLOBAL, quotas.Applied).requests
    if any(one["QuotaCode"] == quota.code and one["Status"] == "PENDING" for one in requests):
        raise AwsError(
            "ResourceAlreadyExistsException",
            f"Only one open service quota increase request is allowed for {quota.code}",
        )
    asked = {
        "Id": uuid4().hex,
        "ServiceCode": CODE,
        "ServiceName": NAME,
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "DesiredValue": desired,
        "Status": "PENDING",
        "Created": call.cloud.clock.now(),
        "QuotaArn": _arn(call, quota),
        "GlobalQuota": False,
        "Unit": "None",
    }
    requests.append(asked)
    return {"RequestedQuota": asked}


def list_requested_service_quota_change_history(call: Call) -> Mapping[str, Any]:
    wanted = {name: call.request[name] for name in ("ServiceCode", "Status", "QuotaCode") if name in call.request}
    requests = call.cloud.store(GLOBAL, quotas.Applied).requests
    found = [one for one in requests if all(one[name] == value for name, value in wanted.items())]
    return _listed(call, "RequestedQuotas", found)


def list_services(call: Call) -> Mapping[str, Any]:
    """only sagemaker"""
    return {"Services": [{"ServiceCode": CODE, "ServiceName": NAME}]}


OPERATIONS: dict[str, Handler] = {
    "GetServiceQuota": get_service_quota,
    "GetAWSDefaultServiceQuota": get_aws_default_service_quota,
    "ListServiceQuotas": list_service_quotas,
    "ListAWSDefaultServiceQuotas": list_aws_default_service_quotas,
    "RequestServiceQuotaIncrease": request_service_quota_increase,
    "ListRequestedServiceQuotaChangeHistory": list_requested_service_quota_change_history,
    "ListRequestedServiceQuotaChangeHistoryByQuota": list_requested_service_quota_change_history,
    "ListServices": list_services,
}
