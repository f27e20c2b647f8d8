"""Monitoring: the topic, the alarms that tell it, and one dashboard.

All of it is made before the endpoint, which rolls a deployment back on some of the alarms. Switching the endpoint off
removes its alarms (they bill, and would be silent) and keeps topic and dashboard, with the metrics of the past.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.alarms import Alarm, Watched, alarms
from infra.dashboard import body
from infra.documents import allow_service, deny_anyone, document
from infra.settings import Monitoring as MonitoringSettings
from infra.settings import Serving as ServingSettings


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    prefix: str
    account: Output[str]
    region: str
    monitoring: MonitoringSettings
    serving: ServingSettings
    kms_key_arn: Output[str] | None = None
    """A key whose policy lets cloudwatch.amazonaws.com decrypt and generate data keys. Without one the topic is not
    encrypted by KMS: CloudWatch cannot publish to a topic under the AWS managed key alias/aws/sns."""
    price_per_hour: float | None = None
    """USD an hour and instance; the dashboard shows the cost when it is known."""


class Monitoring(pulumi.ComponentResource):
    """Outputs: topic (ARN), alarms (names), rollback_alarms (the names of those that judge a deployment), dashboard."""

    topic: Output[str]
    alarms: Output[list[str]]
    rollback_alarms: Output[list[str]]
    dashboard: Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Monitoring", name, None, opts)
        child = ResourceOptions(parent=self)
        self.topic = _topic(name, args, child)
        watched = Watched(endpoint=args.prefix, serving=args.serving, monitoring=args.monitoring)
        wanted = alarms(watched) if args.monitoring.alarms and args.serving.enabled else []
        made = [(one, _alarm(args, one, self.topic, child)) for one in wanted]
        self.alarms = Output.all(*(alarm.name for _, alarm in made)).apply(list)
        self.rollback_alarms = Output.all(*(alarm.name for one, alarm in made if one.rolls_back)).apply(list)
        arns = Output.all(*(alarm.arn for _, alarm in made))
        dashboard = aws.cloudwatch.Dashboard(
            f"{args.prefix}-dashboard",
            dashboard_name=args.prefix,
            dashboard_body=arns.apply(lambda known: body(watched, args.region, args.price_per_hour, list(known))),
            opts=child,
        )
        self.dashboard = dashboard.dashboard_name
        self.register_outputs({"topic": self.topic, "alarms": self.alarms, "dashboard": self.dashboard})


def _alarm(
    args: MonitoringArgs, alarm: Alarm, topic: Output[str], child: ResourceOptions
) -> aws.cloudwatch.MetricAlarm:
    return aws.cloudwatch.MetricAlarm(
        f"{args.prefix}-alarm-{alarm.what}",
        alarm_description=f"Endpoint {args.prefix}: {alarm.text}",
        alarm_actions=[topic],
        ok_actions=[topic],
        opts=child,
        **alarm.inputs,
    )


def _topic(name: str, args: MonitoringArgs, child: ResourceOptions) -> Output[str]:
    """The topic's ARN, known once its policy lets the alarms in."""
    topic = aws.sns.Topic(f"{args.prefix}-alarms", kms_master_key_id=args.kms_key_arn, opts=child)
    policy = aws.sns.TopicPolicy(
        f"{name}-topic-policy",
        arn=topic.arn,
        policy=Output.all(arn=topic.arn, account=args.account).apply(lambda known: _policy(args, **known)),
        opts=child,
    )
    for address in args.monitoring.emails:
        aws.sns.TopicSubscription(
            f"{name}-mail-{address}", topic=topic.arn, protocol="email", endpoint=address, opts=child
        )
    return Output.all(topic.arn, policy.id).apply(lambda known: str(known[0]))


def _policy(args: MonitoringArgs, arn: str, account: str) -> str:
    """Only this account's alarms of this stack, and only over TLS. Principals of the account need no word here."""
    partition = arn.split(":")[1]
    alarms_of_stack = f"arn:{partition}:cloudwatch:{args.region}:{account}:alarm:{args.prefix}-*"
    return document(
        [
            allow_service(
                "cloudwatch.amazonaws.com",
                ["sns:Publish"],
                [arn],
                StringEquals={"aws:SourceAccount": account},
                ArnLike={"aws:SourceArn": alarms_of_stack},
            ),
            deny_anyone("OnlyTls", ["sns:Publish"], [arn], Bool={"aws:SecureTransport": "false"}),
        ]
    )
