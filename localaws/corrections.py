"""Rules of AWS that moto leaves out or has wrong, put into its classes.

EC2's, Lambda's and Application Auto Scaling's wait for the first request that may be theirs: moto's modules of them
take long to import.
"""

from functools import cache

from localaws import (
    cloudtrail,
    kms,
    managed_policies,
    oidc,
    s3_logging,
    s3_markers,
    s3_policy,
    scalable_dimensions,
    sns,
)


def install() -> None:
    """Put in all rules but those that wait. Doing it twice does no harm."""
    for service in (s3_logging, s3_markers, s3_policy, cloudtrail, kms, managed_policies, oidc, sns):
        service.install()


def before(service: str) -> None:
    """Put in what a request to this service needs; "" is a service that nobody named."""
    if service in ("ec2", ""):
        _install_ec2()
    if service in ("lambda", ""):
        _install_lambda()
    if service in ("application-autoscaling", ""):
        scalable_dimensions.install()


@cache
def _install_ec2() -> None:
    from localaws import ec2

    ec2.install()


@cache
def _install_lambda() -> None:
    from localaws.functions import rules

    rules.install()
