"""CloudWatch alarms and dashboards."""

from __future__ import annotations

from localaws.pulumi_provider.schema import AutoName, Form, Input, Member, Read, ResourceType, TagStyle, each

METRIC_ALARM = ResourceType(
    token="aws:cloudwatch/metricAlarm:MetricAlarm",
    service="cloudwatch",
    create="PutMetricAlarm",
    read=Read(operation="DescribeAlarms", result="MetricAlarms[0]"),
    delete="DeleteAlarms",
    key={"AlarmNames": "name"},
    list_keys=("AlarmNames",),
    id="{name}",
    import_id=r"(?P<name>.+)",
    inputs={
        "name": Input(api="AlarmName", replaces=True),
        "actionsEnabled": Input(default=True),
        "dimensions": Input(form=Form.PAIRS),
        "evaluateLowSampleCountPercentiles": Input(api="EvaluateLowSampleCountPercentile"),
        "metricQueries": Input(api="Metrics"),
        "treatMissingData": Input(default="missing"),
        **each(
            Input(),
            "alarmActions",
            "alarmDescription",
            "comparisonOperator",
            "datapointsToAlarm",
            "evaluationCriteria",
            "evaluationInterval",
            "evaluationPeriods",
            "evaluationWindow",
            "extendedStatistic",
            "insufficientDataActions",
            "metricName",
            "namespace",
            "okActions",
            "period",
            "statistic",
            "threshold",
            "thresholdMetricId",
            "unit",
            "warmUpConfiguration",
        ),
    },
    nested={
        "evaluationCriteria.promqlCriteria": Member(api="PromQLCriteria"),
        "metricQueries.metric": Member(api="MetricStat"),
        "metricQueries.metric.metric": Member(form=Form.LIFTED),
        "metricQueries.metric.dimensions": Member(form=Form.PAIRS),
        "metricQueries.returnData": Member(default=False),  # the API's own default is true
    },
    outputs={"arn": "AlarmArn"},
    upsert=True,
    auto_name=AutoName(limit=255),
    tags=TagStyle(
        key={"ResourceARN": "arn"}, create="Tags", add="TagResource", remove="UntagResource", list="ListTagsForResource"
    ),
    gone=("ResourceNotFound", "ResourceNotFoundException"),
    absent=("evaluationWindow.slidingWindow",),
)

DASHBOARD = ResourceType(
    token="aws:cloudwatch/dashboard:Dashboard",
    service="cloudwatch",
    create="PutDashboard",
    read=Read(operation="GetDashboard", key={"DashboardName": "dashboardName"}),
    delete="DeleteDashboards",
    key={"DashboardNames": "dashboardName"},
    list_keys=("DashboardNames",),
    id="{dashboardName}",
    import_id=r"(?P<dashboardName>.+)",
    inputs={
        "dashboardName": Input(required=True, replaces=True),
        "dashboardBody": Input(required=True, form=Form.JSON),
    },
    outputs={"dashboardArn": "DashboardArn"},
    upsert=True,
    gone=("ResourceNotFound", "DashboardNotFoundError"),
)

ROWS = (METRIC_ALARM, DASHBOARD)
