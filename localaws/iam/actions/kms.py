"""KMS. Keys have a policy of their own that decides first; aliases belong to their key."""

from localaws.cloud import backend
from localaws.iam.rules import ANY, Parameters, Rule, Service, on

KEY, TARGET = "key/{KeyId}", "key/{TargetKeyId}"
ALIAS = "alias/{AliasName}"
_KEYS = ("KeyId", "TargetKeyId", "SourceKeyId")


def _normalise(parameters: Parameters, region: str) -> Parameters:
    """Keys by their ARN, whatever of id, alias or ARN was given; AWS judges the key behind an alias."""
    found = {name: key_arn(parameters[name], region) for name in _KEYS if name in parameters}
    if "AliasName" in parameters:
        name = parameters["AliasName"]
        found |= {"AliasName": name.removeprefix("alias/"), "AliasKey": key_arn(name, region)}
    return {**parameters, **found}


def key_arn(key: str, region: str) -> str:
    """The ARN of the key behind an id, an alias or an ARN; what is not known is left as it is."""
    keys, name = backend("kms", region).keys, key.rsplit(":", 1)[-1]
    wanted = name.removeprefix("key/")
    known = next((one for one in list(keys.values()) if one.id == wanted or name in one.aliases), None)
    return known.arn if known is not None else key


SERVICE = Service(
    client="kms",
    prefix="kms",
    normalise=_normalise,
    rules={
        "CreateKey": Rule(tags="Tags", tag_action="TagResource"),
        **on(KEY, "DescribeKey", "GetKeyPolicy", "PutKeyPolicy", "ListKeyPolicies", "GetKeyRotationStatus"),
        **on(KEY, "EnableKeyRotation", "DisableKeyRotation", "EnableKey", "DisableKey", "UpdateKeyDescription"),
        **on(KEY, "ScheduleKeyDeletion", "CancelKeyDeletion", "ListResourceTags", "CreateGrant", "ListGrants"),
        **on(KEY, "Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
        **on(KEY, "RevokeGrant"),
        "ReEncrypt": Rule(resources=("key/{SourceKeyId}",), action="ReEncryptFrom"),
        "TagResource": Rule(resources=(KEY,), tags="Tags"),
        "UntagResource": Rule(resources=(KEY,), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on((ALIAS, TARGET), "CreateAlias", "UpdateAlias"),
        **on((ALIAS, "key/{AliasKey}"), "DeleteAlias"),
        **on(ANY, "ListAliases", "ListKeys"),
    },
)
