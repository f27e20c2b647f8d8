"""Cases for the rules of infra/policies/placement.py."""

import json
from typing import Any

from infra.policies.placement import BUCKET, ENDPOINT, KEY, PROVIDER, TRAINING_JOB
from tests.unit.policies.judge import TAGS, Given, bad, good

ROLE = "aws:iam/role:Role"
REPOSITORY = "aws:ecr/repository:Repository"


def tagged(kind: str = ROLE, **tags: str) -> Given:
    return Given(type=kind, inputs={"tags": {**TAGS, **{f"slipway:{key}": value for key, value in tags.items()}}})


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in TAGS.items() if name != key}


def provider(kind: str, expires: str, as_text: bool = True) -> Given:
    tags: Any = {"tags": {**TAGS, "slipway:kind": kind, "slipway:expires": expires}}
    return Given(type=PROVIDER, inputs={"defaultTags": json.dumps(tags) if as_text else tags})


def placed(region: str | None = None, by: str = "aws") -> Given:
    return Given(type=ROLE, inputs={"region": region} if region else {}, provider=by)


def kept(kind: str, stack_kind: str = "prod", name: str = "x-data", protect: bool = True, **inputs: Any) -> Given:
    return Given(type=kind, name=name, kind=stack_kind, protect=protect, inputs=inputs)


CASES = [
    good("tags-complete", tagged(), tagged(TRAINING_JOB, run="r"), Given(type=BUCKET), provider("dev", "never")),
    bad(
        "tags-complete", "tags are missing: slipway:owner", Given(type=ROLE, inputs={"tags": without("slipway:owner")})
    ),
    bad("tags-complete", "slipway:run", tagged(TRAINING_JOB)),
    bad("tags-complete", "slipway:project, slipway:stack, slipway:owner, slipway:expires", Given(type=PROVIDER)),
    good("pull-request-expires", provider("pull_request", "2030-01-31"), provider("dev", "never")),
    bad("pull-request-expires", "slipway:expires is never", provider("pull_request", "never")),
    bad("pull-request-expires", "slipway:expires is never", provider("pull_request", "never", as_text=False)),
    bad("pull-request-expires", "allowed: a date", Given(type=PROVIDER, stack="local-pr-7")),
    good("dev-expires", provider("dev", "2030-01-31"), provider("prod", "never")),
    bad("dev-expires", "slipway:expires is never", provider("dev", "never")),
    good("no-default-provider", placed()),
    bad("no-default-provider", "escapes tags, region and account", placed(by="default_7_51_1")),
    good("provider-region", placed(), placed("eu-west-1")),
    bad("provider-region", "its region is us-east-1; allowed: eu-west-1", placed("us-east-1")),
    good("prod-protection", kept(BUCKET), kept(ENDPOINT), kept(KEY), kept(BUCKET, name="x-trail-logs", protect=False)),
    good("prod-protection", kept(ENDPOINT, "dev", protect=False)),
    bad("prod-protection", "x-data: it is not protected", kept(BUCKET, protect=False)),
    bad("prod-protection", "slipway:protect", kept(ENDPOINT, protect=False)),
    bad("prod-protection", "slipway:protect", kept(KEY, protect=False)),
    bad("prod-protection", "slipway:protect", Given(type=ENDPOINT, kind="", stack="local-prod")),
    good("prod-no-force-destroy", kept(BUCKET, forceDestroy=False), kept(BUCKET, "dev", forceDestroy=True)),
    bad("prod-no-force-destroy", "forceDestroy is true", kept(BUCKET, forceDestroy=True)),
    bad("prod-no-force-destroy", "forceDelete is true", kept(REPOSITORY, forceDelete=True)),
]
