"""Rules for buckets and for who may reach what is stored."""

from collections.abc import Iterator

from infra.policies.documents import Statement, allowed, anybody, equal_to, label, statements
from infra.policies.rule import Problems, Resource, StackProblem, listed, read, resource_rule, stack_rule, token

BUCKET = token("s3", "Bucket")
ENCRYPTION = token("s3", "BucketServerSideEncryptionConfiguration")
LIFECYCLE = token("s3", "BucketLifecycleConfiguration")
POLICY = token("s3", "BucketPolicy")
PUBLIC_ACCESS_BLOCK = token("s3", "BucketPublicAccessBlock")
VERSIONING = token("s3", "BucketVersioning")
ALGORITHMS = ("AES256", "aws:kms", "aws:kms:dsse")
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
GUARDS = {
    ENCRYPTION: "encryption",
    LIFECYCLE: "a lifecycle",
    POLICY: "a TLS-only policy",
    PUBLIC_ACCESS_BLOCK: "a public access block",
    VERSIONING: "versioning",
}
LOGS_SUFFIX = "-logs"  # of buckets that hold logs: written once, never overwritten, so not versioned
RESOURCE_POLICIES = {
    POLICY: "policy",
    token("ecr", "RepositoryPolicy"): "policy",
    token("kms", "Key"): "policy",
    token("kms", "KeyPolicy"): "policy",
    token("secretsmanager", "SecretPolicy"): "policy",
    token("sns", "Topic"): "policy",
    token("sns", "TopicPolicy"): "policy",
    token("sqs", "QueuePolicy"): "policy",
}
# Condition keys that narrow "everyone" to somebody.
NARROWING = (
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "kms:CallerAccount",
)


@resource_rule("bucket-encryption", "Buckets encrypt what they store.", ENCRYPTION)
def bucket_encryption(one: Resource) -> Problems:
    for rule in listed(one.get("rules")) or [{}]:
        algorithm = read(rule, "applyServerSideEncryptionByDefault", "sseAlgorithm")
        if algorithm not in ALGORITHMS:
            yield (
                f"the default encryption is {algorithm!r}; allowed: {', '.join(ALGORITHMS)}. "
                "Set slipway:storage.kms_key to none (SSE-S3), own or a key's ARN"
            )


@resource_rule("bucket-tls-only", "Buckets refuse requests without TLS.", POLICY)
def bucket_tls_only(one: Resource) -> Problems:
    if not any(_refuses_plain_http(statement) for statement in statements(one.get("policy"))):
        yield (
            "no statement denies everyone s3:* on the bucket and its objects where aws:SecureTransport is false; "
            "add it to the bucket's policy"
        )


def _refuses_plain_http(statement: Statement) -> bool:
    transport = [str(value).lower() for value in listed(read(statement, "Condition", "Bool", "aws:SecureTransport"))]
    resources = listed(statement.get("Resource"))
    objects = any(one.endswith("/*") for one in resources)
    return (
        statement.get("Effect") == "Deny"
        and anybody(statement)
        and "s3:*" in listed(statement.get("Action"))
        and transport == ["false"]
        and ("*" in resources or (objects and any(not one.endswith("/*") for one in resources)))
    )


@resource_rule("bucket-public-access-block", "A public access block has all four switches on.", PUBLIC_ACCESS_BLOCK)
def bucket_public_access_block(one: Resource) -> Problems:
    for name in BLOCKS:
        if one.get(name) is not True:
            yield f"{name} is not on; set it to true"


@resource_rule("bucket-versioning", "Buckets keep what was overwritten or deleted.", VERSIONING)
def bucket_versioning(one: Resource) -> Problems:
    status = one.get("versioningConfiguration", "status")
    if status != "Enabled":
        yield f"versioning is {status!r}; set its status to Enabled (slipway:storage.old_version_days bounds the cost)"


@resource_rule("bucket-unfinished-uploads", "Unfinished uploads go by themselves: they are billed unseen.", LIFECYCLE)
def bucket_unfinished_uploads(one: Resource) -> Problems:
    for rule in listed(one.get("rules")):
        everything = not (read(rule, "filter", "prefix") or read(rule, "filter", "tag") or read(rule, "filter", "and"))
        if rule.get("status") == "Enabled" and everything and rule.get("abortIncompleteMultipartUpload"):
            return
    yield "no enabled rule for the whole bucket has abort_incomplete_multipart_upload; add one, for example of 7 days"


@stack_rule(
    "bucket-guards", "Every bucket has encryption, TLS-only, access block, lifecycle, versions.", BUCKET, *GUARDS
)
def bucket_guards(resources: list[Resource]) -> Iterator[StackProblem]:
    for bucket in [one for one in resources if one.type == BUCKET]:
        present = {one.type for one in resources if one.type in GUARDS and _guards(one, bucket)}
        exempt = {VERSIONING} if bucket.name.endswith(LOGS_SUFFIX) else set()
        missing = [what for kind, what in GUARDS.items() if kind not in present | exempt]
        if missing:
            yield StackProblem(resource=bucket, message=f"the bucket lacks {', '.join(missing)}; declare it beside it")


def _guards(guard: Resource, bucket: Resource) -> bool:
    """By dependency where there is one: names are unknown in some previews."""
    if bucket.urn in guard.made_of.get("bucket", ()):
        return True
    return not guard.made_of.get("bucket") and guard.get("bucket") == bucket.get("bucket")


@resource_rule(
    "no-public-principal", "Policies of buckets, topics, keys and repositories name who.", *RESOURCE_POLICIES
)
def no_public_principal(one: Resource) -> Problems:
    for statement in allowed(one.get(RESOURCE_POLICIES[one.type])):
        narrowed = any(value.strip("*") for key in NARROWING for value in equal_to(statement, key))
        if anybody(statement) and not narrowed:
            yield (
                f"{label(statement)} allows everyone in every account; name the principals, "
                "or add a condition on aws:SourceAccount or aws:PrincipalOrgID"
            )


RULES = (
    bucket_encryption,
    bucket_tls_only,
    bucket_public_access_block,
    bucket_versioning,
    bucket_unfinished_uploads,
    bucket_guards,
    no_public_principal,
)
