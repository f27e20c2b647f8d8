"""Rules for every resource: tags, region, provider, time to live, protection in prod."""

from infra.policies.kinds import default_tags, kind_of
from infra.policies.rule import ADVISORY, Problems, Resource, resource_rule, token

AWS = "aws:"
PROVIDER = "pulumi:providers:aws"
BUCKET = token("s3", "Bucket")
KEY = token("kms", "Key")
ENDPOINT = token("sagemaker", "Endpoint")
TRAINING_JOB = token("sagemaker", "TrainingJob")
TAGS = ("slipway:project", "slipway:stack", "slipway:owner", "slipway:expires")
RUN_TAG = "slipway:run"
DATA_SUFFIX = "-data"  # of the logical name of the bucket that holds what cannot be made again
FORCE = {
    BUCKET: "forceDestroy",
    token("s3", "BucketObjectv2"): "forceDestroy",
    token("ecr", "Repository"): "forceDelete",
}


@resource_rule("tags-complete", "Everything says whose it is and when it ends.", AWS, PROVIDER)
def tags_complete(one: Resource) -> Problems:
    tags = default_tags(one) if one.type == PROVIDER else one.get("tags")
    if tags is None:  # a type that takes no tags: the provider, judged itself, gives them to all others
        return
    wanted = (*TAGS, RUN_TAG) if one.type == TRAINING_JOB else TAGS
    missing = [name for name in wanted if name not in tags]
    if missing:
        yield f"tags are missing: {', '.join(missing)}; the provider's default_tags in infra/__main__.py set them"


@resource_rule("pull-request-expires", "A stack of a pull request says when it ends.", PROVIDER)
def pull_request_expires(provider: Resource) -> Problems:
    if kind_of(provider) == "pull_request" and _forever(provider):
        yield "slipway:expires is never; allowed: a date, for example: pulumi config set slipway:expires 2030-01-31"


@resource_rule("dev-expires", "A dev stack should say when it ends.", PROVIDER, level=ADVISORY)
def dev_expires(provider: Resource) -> Problems:
    if kind_of(provider) == "dev" and _forever(provider):
        yield "slipway:expires is never; give it a date, for example: pulumi config set slipway:expires 2030-01-31"


def _forever(provider: Resource) -> bool:
    return default_tags(provider).get("slipway:expires", "never") == "never"


@resource_rule("no-default-provider", "Every resource goes through the program's own provider.", AWS)
def no_default_provider(one: Resource) -> Problems:
    if one.provider is not None and one.provider.name.startswith("default"):
        yield "it uses the default provider, which escapes tags, region and account; pass the component's options on"


@resource_rule("provider-region", "Every resource is in the provider's region.", AWS)
def provider_region(one: Resource) -> Problems:
    ours, region = one.provider and one.provider.props.get("region"), one.get("region")
    if ours and region and region != ours:
        yield f"its region is {region}; allowed: {ours}, from aws:region. Leave region out"


@resource_rule(
    "prod-protection", "In prod nobody can delete the endpoint, the data or their key.", ENDPOINT, BUCKET, KEY
)
def prod_protection(one: Resource) -> Problems:
    held = one.type != BUCKET or one.name.endswith(DATA_SUFFIX)
    if kind_of(one) == "prod" and held and not one.protect:
        yield "it is not protected; set slipway:protect to true"


@resource_rule("prod-no-force-destroy", "In prod nothing is emptied to be removed.", *FORCE)
def prod_no_force_destroy(one: Resource) -> Problems:
    name = FORCE[one.type]
    if kind_of(one) == "prod" and one.get(name):
        yield f"{name} is true; set slipway:protect to true"


RULES = (
    tags_complete,
    pull_request_expires,
    dev_expires,
    no_default_provider,
    provider_region,
    prod_protection,
    prod_no_force_destroy,
)
