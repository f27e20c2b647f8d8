"""Rules for keys, images, logs, topics, trails and networks."""

from infra.policies.rule import ADVISORY, Problems, Resource, listed, resource_rule, token

KEY = token("kms", "Key")
REPOSITORY = token("ecr", "Repository")
LOG_GROUP = token("cloudwatch", "LogGroup")
TOPIC = token("sns", "Topic")
TRAIL = token("cloudtrail", "Trail")
SECURITY_GROUP = token("ec2", "SecurityGroup")
OLD_RULE = token("ec2", "SecurityGroupRule")
INGRESS_RULE = token("vpc", "SecurityGroupIngressRule")
ANYWHERE = ("0.0.0.0/0", "::/0")


@resource_rule("kms-rotation", "Encryption keys rotate every year.", KEY)
def kms_rotation(key: Resource) -> Problems:
    # KMS rotates symmetric encryption keys only.
    symmetric = key.get("customerMasterKeySpec") in (None, "SYMMETRIC_DEFAULT")
    if symmetric and key.get("enableKeyRotation") is not True:
        yield "rotation is off; set enable_key_rotation to true"


@resource_rule("ecr-immutable-tags", "An image tag means one image for ever.", REPOSITORY)
def ecr_immutable_tags(repository: Resource) -> Problems:
    mutability = repository.get("imageTagMutability") or "MUTABLE"
    if mutability != "IMMUTABLE":
        yield f"image_tag_mutability is {mutability}; allowed: IMMUTABLE"


@resource_rule("ecr-scan-on-push", "Images are scanned as they arrive.", REPOSITORY)
def ecr_scan_on_push(repository: Resource) -> Problems:
    if repository.get("imageScanningConfiguration", "scanOnPush") is not True:
        yield "images are not scanned; set image_scanning_configuration.scan_on_push to true"


@resource_rule("log-retention", "Logs end.", LOG_GROUP)
def log_retention(group: Resource) -> Problems:
    if not group.get("retentionInDays"):
        yield "logs are kept, and billed, for ever; set slipway:log_retention_days"


@resource_rule("topic-encryption", "Topics encrypt with a key that CloudWatch can use.", TOPIC, level=ADVISORY)
def topic_encryption(topic: Resource) -> Problems:
    key = topic.get("kmsMasterKeyId")
    if not key:
        yield "messages are stored unencrypted; set slipway:storage.kms_key to own"
    elif str(key).endswith("alias/aws/sns"):
        yield f"the key is {key}, which alarms may not use: their messages are lost. Use a key of your own"


@resource_rule("trail-validation", "Trails can prove that nobody changed their files.", TRAIL)
def trail_validation(trail: Resource) -> Problems:
    if trail.get("enableLogFileValidation") is not True:
        yield "log files carry no digests; set enable_log_file_validation to true"


@resource_rule("trail-encryption", "Trails encrypt with a key of ours.", TRAIL, level=ADVISORY)
def trail_encryption(trail: Resource) -> Problems:
    if not trail.get("kmsKeyId"):
        yield "log files are encrypted with S3's own key; set slipway:storage.kms_key to own"


@resource_rule("no-open-ingress", "Nothing listens to the whole internet.", SECURITY_GROUP, OLD_RULE, INGRESS_RULE)
def no_open_ingress(one: Resource) -> Problems:
    for source in _sources(one):
        if source in ANYWHERE:
            yield f"{source} may connect; allow the VPC's range (slipway:network.cidr) or a security group instead"


def _sources(one: Resource) -> list[str]:
    if one.type == INGRESS_RULE:
        return [*listed(one.get("cidrIpv4")), *listed(one.get("cidrIpv6"))]
    if one.type == OLD_RULE:
        rules = [one.inputs] if one.get("type") == "ingress" else []
    else:
        rules = listed(one.get("ingress"))
    return [cidr for rule in rules for key in ("cidrBlocks", "ipv6CidrBlocks") for cidr in listed(rule.get(key))]


RULES = (
    kms_rotation,
    ecr_immutable_tags,
    ecr_scan_on_push,
    log_retention,
    topic_encryption,
    trail_validation,
    trail_encryption,
    no_open_ingress,
)
