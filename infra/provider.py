"""The program's one provider: region, account pin, and the tags that every resource gets from it."""

from typing import Any

import pulumi
import pulumi_aws as aws

from infra.settings import Settings


def provider_of(settings: Settings, region: str) -> aws.Provider:
    """With it every resource tells whose it is, also in an account that others use."""
    tags = {
        "slipway:project": pulumi.get_project(),
        "slipway:stack": pulumi.get_stack(),
        "slipway:owner": settings.owner,
        "slipway:expires": settings.expires,
        "slipway:kind": settings.preset,
    }
    more: dict[str, Any] = {"allowed_account_ids": [settings.account]} if settings.account else {}
    return aws.Provider("aws", region=region, default_tags={"tags": tags}, **more)
