"""Spending: the budget, the guardian that stops the stack, and the schedules that call it.

Nothing that serves depends on it, and it is as good as free (docs/spending.md adds it up). What the function does is in
`infra.guardian`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.documents import allow_service, deny_anyone, document
from infra.guardian_code import archive
from infra.spending_section import OfficeHours
from infra.spending_section import Spending as SpendingSettings

HANDLER, RUNTIME = "guardian.handler.handle", "python3.13"
TIMEOUT_SECONDS, MEMORY_MB = 120, 256
"""Half a minute is a long check; the lease in infra.guardian.memory lasts longer than the time limit."""
NOW = "<aws.scheduler.scheduled-time>"
"""EventBridge Scheduler writes the time here: the function does not trust its machine's clock."""


@dataclass(frozen=True, kw_only=True)
class SpendingArgs:
    prefix: str
    region: str
    account: Output[str]
    spending: SpendingSettings
    expires: str
    emails: tuple[str, ...]
    bucket: Output[str]
    guard_role: Output[str]
    schedule_role: Output[str]
    frozen_roles: tuple[Output[str], ...]
    """ARNs of the jobs' roles, which a breach freezes."""
    kms_key_arn: Output[str] | None = None
    log_retention_days: int


class Spending(pulumi.ComponentResource):
    """Outputs: guardian (the function's name), topic (ARN), budget (name; None without one)."""

    guardian: Output[str]
    topic: Output[str]
    budget: Output[str] | None

    def __init__(self, name: str, args: SpendingArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Spending", name, None, opts)
        child = ResourceOptions(parent=self)
        self.topic = _topic(name, args, child)
        self.budget = _budget(args, self.topic, child) if args.spending.budget_usd is not None else None
        function = _function(args, self.topic, self.budget, child)
        self.guardian = function.name
        _listen(name, self.topic, function, child)
        for what, when in _calls(args.spending).items():
            _schedule(f"{args.prefix}-{what}", args, function, when, child)
        self.register_outputs({"guardian": self.guardian, "topic": self.topic, "budget": self.budget})


def _topic(name: str, args: SpendingArgs, child: ResourceOptions) -> Output[str]:
    """The topic's ARN, known once the budget may publish to it. People hear the budget and the guardian here."""
    topic = aws.sns.Topic(f"{args.prefix}-spending", kms_master_key_id=args.kms_key_arn, opts=child)

    def policy(known: dict[str, Any]) -> str:
        source = {"StringEquals": {"aws:SourceAccount": known["account"]}}
        budgets = {"ArnLike": {"aws:SourceArn": f"arn:aws:budgets::{known['account']}:*"}}
        return document(
            [
                allow_service("budgets.amazonaws.com", ["sns:Publish"], [known["arn"]], **source, **budgets),
                deny_anyone("OnlyTls", ["sns:Publish"], [known["arn"]], Bool={"aws:SecureTransport": "false"}),
            ]
        )

    text = Output.all(arn=topic.arn, account=args.account).apply(policy)
    made = aws.sns.TopicPolicy(f"{name}-topic-policy", arn=topic.arn, policy=text, opts=child)
    for address in args.emails:
        aws.sns.TopicSubscription(
            f"{name}-mail-{address}", topic=topic.arn, protocol="email", endpoint=address, opts=child
        )
    return Output.all(topic.arn, made.id).apply(lambda known: str(known[0]))


def _budget(args: SpendingArgs, topic: Output[str], child: ResourceOptions) -> Output[str]:
    """AWS's own count of all that carries the stack's tags. It lags by hours; the guardian counts instances itself."""
    tags = {"slipway:project": pulumi.get_project(), "slipway:stack": pulumi.get_stack()}
    spending = args.spending

    def notice(percent: int, kind: str) -> dict[str, Any]:
        return {
            "comparison_operator": "GREATER_THAN",
            "threshold": percent,
            "threshold_type": "PERCENTAGE",
            "notification_type": kind,
            "subscriber_sns_topic_arns": [topic],
        }

    return aws.budgets.Budget(
        f"{args.prefix}-budget",
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=f"{spending.budget_usd:f}",
        limit_unit="USD",
        cost_filters=[{"name": "TagKeyValue", "values": [f"user:{key}${value}" for key, value in tags.items()]}],
        notifications=[
            *(notice(percent, "ACTUAL") for percent in (*sorted(spending.notify_percent), spending.breach_percent)),
            notice(100, "FORECASTED"),
        ],
        opts=child,
    ).name


def _function(
    args: SpendingArgs, topic: Output[str], budget: Output[str] | None, child: ResourceOptions
) -> aws.lambda_.Function:
    logs = aws.cloudwatch.LogGroup(
        f"{args.prefix}-guard-logs",
        name=f"/aws/lambda/{args.prefix}-guard",
        retention_in_days=args.log_retention_days,
        opts=child,
    )
    facts = Output.json_dumps(
        _settings(args)
        | {
            "account": args.account,
            "bucket": args.bucket,
            "topic": topic,
            "budget_name": budget or "",
            "roles": [arn.apply(lambda known: known.rsplit("/", 1)[-1]) for arn in args.frozen_roles],
        },
        sort_keys=True,
    )
    return aws.lambda_.Function(
        f"{args.prefix}-guard",
        description=f"Stops what {args.prefix} spends, and brings it back: docs/spending.md",
        role=args.guard_role,
        runtime=RUNTIME,
        handler=HANDLER,
        code=archive(args.region),
        timeout=TIMEOUT_SECONDS,
        memory_size=MEMORY_MB,
        environment={"variables": {"GUARDIAN": facts}},
        logging_config={"log_format": "Text", "log_group": logs.name},
        opts=child,
    )


def _settings(args: SpendingArgs) -> dict[str, Any]:
    """What the configuration says, as infra.guardian.facts reads it."""
    spending = args.spending
    return {
        "project": pulumi.get_project(),
        "stack": pulumi.get_stack(),
        "budget_usd": f"{spending.budget_usd:f}" if spending.budget_usd is not None else "",
        "breach_percent": spending.breach_percent,
        "time_to_live_hours": spending.time_to_live_hours,
        "expires": args.expires,
        "warn_hours": spending.warn_hours,
        "idle_minutes": spending.idle_minutes,
    }


def _listen(name: str, topic: Output[str], function: aws.lambda_.Function, child: ResourceOptions) -> None:
    """The guardian hears the budget."""
    let_in = aws.lambda_.Permission(
        f"{name}-topic-may-call",
        action="lambda:InvokeFunction",
        function=function.name,
        principal="sns.amazonaws.com",
        source_arn=topic,
        opts=child,
    )
    aws.sns.TopicSubscription(
        f"{name}-guard",
        topic=topic,
        protocol="lambda",
        endpoint=function.arn,
        opts=ResourceOptions.merge(child, ResourceOptions(depends_on=[let_in])),
    )


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of the guardian by the clock."""

    expression: str
    event: Mapping[str, str]
    timezone: str = "UTC"


def _calls(spending: SpendingSettings) -> dict[str, Call]:
    minutes = spending.guard_minutes
    every = f"rate({minutes} minute{'s' if minutes > 1 else ''})"
    calls = {"check": Call(expression=every, event={"action": "check"})}
    if spending.office_hours:
        for what in ("start", "stop"):
            event = {"action": what, "reason": "office hours"}
            when = _cron(getattr(spending.office_hours, what), spending.office_hours)
            calls[f"office-{what}"] = Call(expression=when, event=event, timezone=spending.office_hours.timezone)
    return calls


def _cron(time: str, hours: OfficeHours) -> str:
    hour, minute = (int(part) for part in time.split(":"))
    return f"cron({minute} {hour} ? * {','.join(day.upper() for day in hours.days)} *)"


def _schedule(
    name: str, args: SpendingArgs, function: aws.lambda_.Function, call: Call, child: ResourceOptions
) -> None:
    aws.scheduler.Schedule(
        name,
        schedule_expression=call.expression,
        schedule_expression_timezone=call.timezone,
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": function.arn,
            "role_arn": args.schedule_role,
            "input": json.dumps({**call.event, "time": NOW}),
        },
        opts=child,
    )
