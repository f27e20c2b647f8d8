"""Service Quotas: a quota is `<service>/<code>`; lists have no resource."""

from localaws.iam.rules import ANY, Service, on

QUOTA = "{ServiceCode}/{QuotaCode}"

SERVICE = Service(
    client="service-quotas",
    prefix="servicequotas",
    rules={
        **on(QUOTA, "GetServiceQuota", "RequestServiceQuotaIncrease"),
        **on(ANY, "GetAWSDefaultServiceQuota", "ListServices", "ListServiceQuotas", "ListAWSDefaultServiceQuotas"),
        **on(ANY, "ListRequestedServiceQuotaChangeHistory", "ListRequestedServiceQuotaChangeHistoryByQuota"),
    },
)
