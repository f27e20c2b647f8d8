"""Cases for the rules of infra/policies/supporting.py."""

from infra.policies.supporting import INGRESS_RULE, KEY, LOG_GROUP, OLD_RULE, REPOSITORY, SECURITY_GROUP, TOPIC, TRAIL
from tests.unit.policies.judge import Given, bad, good

INSIDE, ANYWHERE = "10.42.0.0/16", "0.0.0.0/0"
CASES = [
    good(
        "kms-rotation",
        Given(type=KEY, inputs={"enableKeyRotation": True}),
        Given(type=KEY, inputs={"customerMasterKeySpec": "RSA_2048"}),
    ),
    bad("kms-rotation", "thing: rotation is off", Given(type=KEY)),
    good("ecr-immutable-tags", Given(type=REPOSITORY, inputs={"imageTagMutability": "IMMUTABLE"})),
    bad("ecr-immutable-tags", "is MUTABLE", Given(type=REPOSITORY)),
    good("ecr-scan-on-push", Given(type=REPOSITORY, inputs={"imageScanningConfiguration": {"scanOnPush": True}})),
    bad("ecr-scan-on-push", "not scanned", Given(type=REPOSITORY)),
    good("log-retention", Given(type=LOG_GROUP, inputs={"retentionInDays": 30})),
    bad("log-retention", "slipway:log_retention_days", Given(type=LOG_GROUP)),
    bad("log-retention", "for ever", Given(type=LOG_GROUP, inputs={"retentionInDays": 0})),
    good("topic-encryption", Given(type=TOPIC, inputs={"kmsMasterKeyId": "arn:aws:kms:eu-west-1:1:key/k"})),
    bad("topic-encryption", "unencrypted", Given(type=TOPIC)),
    bad("topic-encryption", "alarms may not use", Given(type=TOPIC, inputs={"kmsMasterKeyId": "alias/aws/sns"})),
    good("trail-validation", Given(type=TRAIL, inputs={"enableLogFileValidation": True})),
    bad("trail-validation", "enable_log_file_validation", Given(type=TRAIL)),
    good("trail-encryption", Given(type=TRAIL, inputs={"kmsKeyId": "arn:aws:kms:eu-west-1:1:key/k"})),
    bad("trail-encryption", "slipway:storage.kms_key", Given(type=TRAIL)),
    good(
        "no-open-ingress",
        Given(
            type=SECURITY_GROUP, inputs={"ingress": [{"cidrBlocks": [INSIDE]}], "egress": [{"cidrBlocks": [ANYWHERE]}]}
        ),
        Given(type=INGRESS_RULE, inputs={"cidrIpv4": INSIDE}),
        Given(type=OLD_RULE, inputs={"type": "egress", "cidrBlocks": [ANYWHERE]}),
    ),
    bad("no-open-ingress", ANYWHERE, Given(type=SECURITY_GROUP, inputs={"ingress": [{"cidrBlocks": [ANYWHERE]}]})),
    bad("no-open-ingress", "::/0 may connect", Given(type=INGRESS_RULE, inputs={"cidrIpv6": "::/0"})),
    bad("no-open-ingress", ANYWHERE, Given(type=OLD_RULE, inputs={"type": "ingress", "cidrBlocks": [ANYWHERE]})),
]
