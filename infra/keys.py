"""The stack's own KMS key: rotated each year, and used by AWS's services only for what this stack made.

The key's policy delegates to IAM (the account's root), so people and jobs need their own policies; a service that
encrypts for us is named here with the resources it may do it for.
"""

from functools import partial

import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.documents import ANY, Statement, allow_service, document

DELETION_DAYS, PROTECTED_DELETION_DAYS = 7, 30  # KMS's least and most: until then a deletion can be taken back
ROTATION_DAYS = 365


def own_key(prefix: str, region: str, account: Output[str], protect: bool, opts: ResourceOptions) -> Output[str]:
    """The ARN of a new key; its alias is `alias/<prefix>-<7 hex>`."""
    key = aws.kms.Key(
        f"{prefix}-key",
        description=f"slipway: what {prefix} keeps",
        policy=account.apply(partial(_policy, prefix, region)),
        enable_key_rotation=True,
        rotation_period_in_days=ROTATION_DAYS,
        deletion_window_in_days=PROTECTED_DELETION_DAYS if protect else DELETION_DAYS,
        opts=ResourceOptions.merge(opts, ResourceOptions(protect=protect)),
    )
    aws.kms.Alias(prefix, target_key_id=key.key_id, opts=opts)
    return key.arn


def _policy(prefix: str, region: str, account: str) -> str:
    here = f"{region}:{account}"
    # In a key's policy "*" is the key itself.
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
    return document([root, *_trail(prefix, here), _alarms(prefix, here), _budgets(here)])


def _trail(prefix: str, here: str) -> list[Statement]:
    """CloudTrail, for the stack's trail: it encrypts the files and asks what the key is."""
    trail = f"arn:aws:cloudtrail:{here}:trail/{prefix}-trail-*"
    service = "cloudtrail.amazonaws.com"
    return [
        allow_service(
            service,
            ["kms:GenerateDataKey*"],
            ANY,
            ArnLike={"aws:SourceArn": trail, "kms:EncryptionContext:aws:cloudtrail:arn": trail},
        ),
        allow_service(service, ["kms:DescribeKey"], ANY, ArnLike={"aws:SourceArn": trail}),
    ]


def _alarms(prefix: str, here: str) -> Statement:
    """CloudWatch, for the alarms that tell an encrypted topic: the topic's own key cannot be AWS's alias/aws/sns."""
    return allow_service(
        "cloudwatch.amazonaws.com",
        ["kms:Decrypt", "kms:GenerateDataKey*"],
        ANY,
        StringEquals={"aws:SourceAccount": here.partition(":")[2]},
        ArnLike={"aws:SourceArn": f"arn:aws:cloudwatch:{here}:alarm:{prefix}-*"},
    )


def _budgets(here: str) -> Statement:
    """AWS Budgets, for the topic that hears of the stack's budget."""
    account = here.partition(":")[2]
    return allow_service(
        "budgets.amazonaws.com",
        ["kms:Decrypt", "kms:GenerateDataKey*"],
        ANY,
        StringEquals={"aws:SourceAccount": account},
        ArnLike={"aws:SourceArn": f"arn:aws:budgets::{account}:*"},
    )
