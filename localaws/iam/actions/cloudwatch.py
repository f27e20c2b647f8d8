"""CloudWatch: metrics know no resource, their namespace is a condition key."""

from localaws.cloud import ACCOUNT
from localaws.iam.rules import ANY, Rule, Service, on

ALARM = "alarm:{AlarmName}"
DASHBOARD = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{{DashboardName}}"  # dashboards are of no region

SERVICE = Service(
    client="cloudwatch",
    prefix="cloudwatch",
    denied="AccessDenied",  # it was a query service, and clients match on the codes of then
    rules={
        "PutMetricData": Rule(conditions={"cloudwatch:namespace": "Namespace"}),
        "PutMetricAlarm": Rule(
            resources=(ALARM,),
            tags="Tags",
            tag_action="TagResource",
            conditions={"cloudwatch:AlarmActions": "AlarmActions[]"},
        ),
        **on(ALARM, "SetAlarmState", "DescribeAlarmHistory"),
        **on("alarm:{AlarmNames[]}", "DescribeAlarms", "DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions"),
        **on(DASHBOARD, "PutDashboard", "GetDashboard"),
        **on(DASHBOARD.replace("Name", "Names[]"), "DeleteDashboards"),
        "TagResource": Rule(resources=("alarm:{ResourceARN}",), tags="Tags"),
        "UntagResource": Rule(resources=("alarm:{ResourceARN}",), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on("alarm:{ResourceARN}", "ListTagsForResource"),
        **on(ANY, "GetMetricData", "GetMetricStatistics", "ListMetrics", "ListDashboards", "DescribeAlarmsForMetric"),
        **on(ANY, "GetMetricWidgetImage"),
    },
)
