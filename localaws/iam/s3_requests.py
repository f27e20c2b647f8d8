"""S3: from method, path and subresource to actions. One request may need several: a copy reads its source too."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from moto.s3.utils import bucket_name_from_url

from localaws.cloud import GLOBAL, backend
from localaws.iam.patterns import Context
from localaws.iam.requests import Body, Environ, NoRuleError, tag_keys
from localaws.iam.s3_keys import bucket_arn, key_asks, stored
from localaws.iam.statements import Ask

_CONFIGURATIONS = {  # subresource of a bucket: the name in its Get and Put actions
    "accelerate": "AccelerateConfiguration",
    "acl": "BucketAcl",
    "analytics": "AnalyticsConfiguration",
    "cors": "BucketCORS",
    "encryption": "EncryptionConfiguration",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "inventory": "InventoryConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "logging": "BucketLogging",
    "metrics": "MetricsConfiguration",
    "notification": "BucketNotification",
    "object-lock": "BucketObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "replication": "ReplicationConfiguration",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
BUCKET: dict[tuple[str, str], str] = {
    **{("GET", name): f"Get{words}" for name, words in _CONFIGURATIONS.items()},
    **{("PUT", name): f"Put{words}" for name, words in _CONFIGURATIONS.items()},
    # Taking a configuration away is a Put of nothing, but for these two.
    **{("DELETE", name): f"Put{words}" for name, words in _CONFIGURATIONS.items()},
    ("DELETE", "policy"): "DeleteBucketPolicy",
    ("DELETE", "website"): "DeleteBucketWebsite",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "policyStatus"): "GetBucketPolicyStatus",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versions"): "ListBucketVersions",
    ("GET", ""): "ListBucket",
    ("HEAD", ""): "ListBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
}
OBJECT: dict[tuple[str, str], str] = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "GetObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("GET", "acl"): "GetObjectAcl",
    ("PUT", "acl"): "PutObjectAcl",
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "legal-hold"): "GetObjectLegalHold",
    ("PUT", "legal-hold"): "PutObjectLegalHold",
    ("GET", "retention"): "GetObjectRetention",
    ("PUT", "retention"): "PutObjectRetention",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("POST", "uploads"): "PutObject",
    ("POST", "uploadId"): "PutObject",
    ("PUT", "uploadId"): "PutObject",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "restore"): "RestoreObject",
}
SUBRESOURCES = {name for _, name in (*BUCKET, *OBJECT)} - {""} | {"delete", "select", "torrent"}
_VERSIONED = (
    *("GetObject", "GetObjectAcl", "GetObjectAttributes", "GetObjectTagging"),
    *("PutObjectAcl", "PutObjectTagging", "DeleteObject", "DeleteObjectTagging"),
)
_LIST_KEYS = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
_HEADER_KEYS = {
    "HTTP_X_AMZ_ACL": "s3:x-amz-acl",
    "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION": "s3:x-amz-server-side-encryption",
    "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "HTTP_X_AMZ_COPY_SOURCE": "s3:x-amz-copy-source",
    "HTTP_X_AMZ_STORAGE_CLASS": "s3:x-amz-storage-class",
    "HTTP_X_AMZ_METADATA_DIRECTIVE": "s3:x-amz-metadata-directive",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a request goes. `subresource` is "" for the bucket or the object itself."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    subresource: str


def place(environ: Environ) -> Place:
    """Bucket and key, from the path or from the name of the host."""
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace").removeprefix("/")
    host = environ.get("HTTP_HOST", "")
    named = None if host.rpartition(":")[0].replace(".", "").isdigit() else bucket_name_from_url(f"http://{host}/")
    bucket, _, key = (named, "", path) if named else path.partition("/")
    query = {name: found[0] for name, found in parse_qs(environ.get("QUERY_STRING", ""), True).items()}
    subresource = next((name for name in query if name in SUBRESOURCES), "")
    return Place(method=environ["REQUEST_METHOD"], bucket=bucket, key=key, query=query, subresource=subresource)


def asks(environ: Environ, region: str, base: Context) -> list[Ask]:
    """What a request to S3 asks for. Raises NoRuleError.

    A batch delete asks for nothing by itself (`batch_delete`), nor does a bucket that is not there: everybody is
    told that.
    """
    at = place(environ)
    if not at.bucket:
        return [Ask(action="s3:ListAllMyBuckets", resource="*", context=base)]
    creates = (at.method, at.key, at.subresource) == ("PUT", "", "")
    if (at.method, at.key, at.subresource) == ("POST", "", "delete") or not (creates or bucket_exists(at.bucket)):
        return []
    table = OBJECT if at.key else BUCKET
    if (at.method, at.subresource) not in table:
        raise NoRuleError(
            f"localaws has no rule for {at.method} ?{at.subresource} of {'an object' if at.key else 'a bucket'}"
        )
    context = {**base, **_request_keys(environ, at)}
    action = table[at.method, at.subresource]
    if "versionId" in at.query and action in _VERSIONED:
        action, context = (
            f"{action.replace('Object', 'ObjectVersion', 1)}",
            {**context, "s3:versionid": (at.query["versionId"],)},
        )
    resource = bucket_arn(at.bucket) + (f"/{at.key}" if at.key else "")
    return [
        Ask(action=f"s3:{action}", resource=resource, context=context),
        *_further(environ, at, action, resource, context),
        *key_asks(action, at.bucket, at.key, region, base, environ),
        *_source(environ, region, base),
    ]


def _request_keys(environ: Environ, at: Place) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {key: (environ[name],) for name, key in _HEADER_KEYS.items() if name in environ}
    if not at.key:
        found |= {key: (at.query[name],) for name, key in _LIST_KEYS.items() if name in at.query}
    tags = {key: values[0] for key, values in parse_qs(environ.get("HTTP_X_AMZ_TAGGING", ""), True).items()}
    if tags:
        found |= {**tag_keys("s3:RequestObjectTag", tags), "s3:requestobjecttagkeys": tuple(tags)}
    return found


def bucket_exists(name: str) -> bool:
    return name in backend("s3", GLOBAL).buckets


def _further(environ: Environ, at: Place, action: str, resource: str, context: Context) -> Iterator[Ask]:
    """What else AWS asks for."""
    if action == "GetObject" and stored(at.bucket, at.key) is None:
        # Only who may list the bucket is told that an object is missing; all others are denied.
        yield Ask(action="s3:ListBucket", resource=bucket_arn(at.bucket), context=context)
    if action in ("GetObjectAttributes", "GetObjectVersionAttributes"):
        yield Ask(action=f"s3:{action.removesuffix('Attributes')}", resource=resource, context=context)
    if action == "PutObject" and at.subresource != "uploadId":
        if "HTTP_X_AMZ_TAGGING" in environ:
            yield Ask(action="s3:PutObjectTagging", resource=resource, context=context)
        if "HTTP_X_AMZ_ACL" in environ:
            yield Ask(action="s3:PutObjectAcl", resource=resource, context=context)


def _source(environ: Environ, region: str, base: Context) -> Iterator[Ask]:
    """The object that a copy reads."""
    if "HTTP_X_AMZ_COPY_SOURCE" not in environ:
        return
    parts = urlsplit(environ["HTTP_X_AMZ_COPY_SOURCE"])
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    action = "GetObjectVersion" if "versionId" in parse_qs(parts.query) else "GetObject"
    yield Ask(action=f"s3:{action}", resource=f"{bucket_arn(bucket)}/{key}", context=base)
    yield from key_asks(action, bucket, key, region, base)


def batch_delete(environ: Environ, body: Body, base: Context) -> Callable[[], Iterator[Ask]] | None:
    """The objects of a batch delete, each to be judged by itself: AWS answers for each. None for other requests."""
    at = place(environ)
    if (at.method, at.key, at.subresource) != ("POST", "", "delete"):
        return None

    def each() -> Iterator[Ask]:
        try:
            root = ElementTree.fromstring(body())
        except ElementTree.ParseError:
            return  # S3 refuses the body itself
        for item in root.iter():
            if item.tag.rpartition("}")[2] != "Object":
                continue
            fields = {child.tag.rpartition("}")[2]: child.text or "" for child in item}
            action = "s3:DeleteObjectVersion" if fields.get("VersionId") else "s3:DeleteObject"
            yield Ask(action=action, resource=f"{bucket_arn(at.bucket)}/{fields.get('Key', '')}", context=base)

    return each
