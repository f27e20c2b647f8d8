"""KMS keys and their aliases."""

from __future__ import annotations

from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import (
    AutoName,
    Form,
    Hooks,
    Input,
    Look,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
)

GONE = ("NotFoundException", "KMSInvalidStateException:pending deletion")
DELETION_DAYS = (7, 30)


def _schedule_deletion(context: Context, state: Properties) -> None:
    """A key cannot be deleted at once: it is scheduled for deletion, which is where the real provider leaves it too."""
    window = state.get("deletionWindowInDays")
    context.call(
        "ScheduleKeyDeletion",
        {"KeyId": state["keyId"], **({"PendingWindowInDays": window} if window is not None else {})},
    )


def _enable(context: Context, properties: Properties) -> None:
    if properties["isEnabled"]:
        context.call("EnableKey", {"KeyId": properties["keyId"]})


def _disable(context: Context, properties: Properties) -> None:
    if not properties["isEnabled"]:
        context.call("DisableKey", {"KeyId": properties["keyId"]})


def _rotate(context: Context, properties: Properties) -> None:
    """Switches rotation on with its period, or off."""
    key = {"KeyId": properties["keyId"]}
    period = properties.get("rotationPeriodInDays")
    if properties["enableKeyRotation"]:
        context.call("EnableKeyRotation", key | ({"RotationPeriodInDays": period} if period is not None else {}))
    else:
        context.call("DisableKeyRotation", key)


def _alias_arn(_context: Context, state: Properties, _found: object) -> None:
    """An alias is read as the key that it names, so its own ARN has to be made from the key's."""
    account = state["targetKeyArn"].rpartition(":")[0]
    state["arn"] = f"{account}:{state['name']}"


KEY = ResourceType(
    token="aws:kms/key:Key",
    service="kms",
    create="CreateKey",
    read=Read(
        operation="DescribeKey",
        # A key that waits for its deletion counts as gone.
        result="[KeyMetadata][?KeyState!='PendingDeletion' && KeyState!='PendingReplicaDeletion'] | [0]",
        looks=(
            Look(
                operation="GetKeyPolicy",
                into="KeyPolicy",
                request=lambda known: {"KeyId": known["keyId"], "PolicyName": "default"},
            ),
            Look(
                operation="GetKeyRotationStatus",
                into="Rotation",
                request=lambda known: {"KeyId": known["keyId"]},
                none=("UnsupportedOperationException", "KMSInvalidStateException"),
            ),
        ),
    ),
    delete=None,
    key={"KeyId": "keyId"},
    created={"keyId": "KeyMetadata.KeyId"},
    id="{keyId}",
    import_id=r"(?:arn:.*:key/)?(?P<keyId>[^/]+)",
    inputs={
        "customerMasterKeySpec": Input(api="KeySpec", default="SYMMETRIC_DEFAULT", replaces=True),
        "deletionWindowInDays": Input(local=True, kind="integer", limits=DELETION_DAYS),
        "description": Input(cleared=""),
        "enableKeyRotation": Input(kind="boolean", read="Rotation.KeyRotationEnabled", default=False, initial=False),
        "isEnabled": Input(kind="boolean", read="Enabled", default=True, initial=True),
        "keyUsage": Input(default="ENCRYPT_DECRYPT", replaces=True),
        "multiRegion": Input(replaces=True),
        "policy": Input(read="KeyPolicy.Policy", form=Form.JSON),
        "rotationPeriodInDays": Input(read="Rotation.RotationPeriodInDays"),
    },
    outputs={"arn": "Arn"},
    # A disabled key takes no other change: it is enabled before everything else, and disabled after it.
    steps=(
        Step(operation="EnableKey", act=_enable, properties=("isEnabled",)),
        Step(operation="UpdateKeyDescription", properties=("description",)),
        Step(operation="PutKeyPolicy", properties=("policy",), constants={"PolicyName": "default"}),
        Step(
            operation="EnableKeyRotation",
            act=_rotate,
            properties=("enableKeyRotation", "rotationPeriodInDays"),
            on_create=True,
        ),
        Step(operation="DisableKey", act=_disable, properties=("isEnabled",), on_create=True),
    ),
    tags=TagStyle(
        key={"KeyId": "keyId"},
        create="Tags",
        add="TagResource",
        remove="UntagResource",
        pairs=("TagKey", "TagValue"),
        list="ListResourceTags",
    ),
    gone=GONE,
    lagging=("MalformedPolicyDocumentException",),  # a role in the policy that KMS does not see yet
    hooks=Hooks(before_delete=_schedule_deletion),
    refused=("bypassPolicyLockoutSafetyCheck", "customKeyStoreId", "xksKeyId"),
)

ALIAS = ResourceType(
    token="aws:kms/alias:Alias",
    service="kms",
    create="CreateAlias",
    read=Read(operation="DescribeKey", result="KeyMetadata", key={"KeyId": "name"}),
    delete="DeleteAlias",
    key={"AliasName": "name"},
    id="{name}",
    import_id=r"(?P<name>alias/.+)",
    inputs={
        "name": Input(api="AliasName", replaces=True, pattern="alias/.+"),
        "targetKeyId": Input(read="KeyId", required=True, form=Form.KEY),
    },
    outputs={"arn": "Arn", "targetKeyArn": "Arn"},
    steps=(Step(operation="UpdateAlias", properties=("targetKeyId",)),),
    auto_name=AutoName(prefix_property="namePrefix", limit=256, start="alias/"),
    gone=GONE,
    lagging=("NotFoundException",),
    hooks=Hooks(after_read=_alias_arn),
)

ROWS = (KEY, ALIAS)
