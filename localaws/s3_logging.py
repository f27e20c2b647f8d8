"""Whether a bucket lets S3 write access logs into it: its policy, read in the policy's own language.

moto looks for one exact form of the statement, and fails on a policy that also speaks to everybody.
https://docs.aws.amazonaws.com/AmazonS3/latest/userguide/enable-server-access-logging.html
"""

from typing import Any

from moto.s3.models import FakeBucket

from localaws.cloud import ACCOUNT
from localaws.iam.evaluator import Policies, evaluate
from localaws.iam.patterns import PolicyError
from localaws.iam.principals import Principal
from localaws.iam.statements import Ask, policy

SERVICE = Principal(arn="logging.s3.amazonaws.com", kind="Service", account="")
_set_logging = FakeBucket.set_logging


def install() -> None:
    """Put the rule into moto's buckets. Doing it twice does no harm."""
    FakeBucket.set_logging = _of_this_bucket


def _of_this_bucket(self: Any, config: dict[str, Any] | None, buckets: Any) -> None:
    def permits(target_bucket: Any, target_prefix: str | None) -> bool:
        return _permits(self.name, target_bucket, target_prefix or "")

    self._log_permissions_enabled_policy = permits  # moto's own is a static method of the class
    try:
        _set_logging(self, config, buckets)
    finally:
        del self._log_permissions_enabled_policy


def _permits(source: str, target: Any, prefix: str) -> bool:
    if not target.policy:
        return False
    context = {
        "aws:securetransport": ("true",),
        "aws:sourceaccount": (ACCOUNT,),
        "aws:sourcearn": (f"arn:aws:s3:::{source}",),
    }
    ask = Ask(action="s3:PutObject", resource=f"arn:aws:s3:::{target.name}/{prefix}x", context=context)
    try:
        return evaluate(ask, SERVICE, Policies(resource=policy("bucket", target.policy.decode()))).allowed
    except PolicyError:
        return False
