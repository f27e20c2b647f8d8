"""STS. Who may assume a role is decided in assume.py, where the trust policy is."""

from localaws.iam.rules import Service, on

SERVICE = Service(
    client="sts",
    prefix="sts",
    scope=":{account}:",
    rules=on("*", "GetAccessKeyInfo", "DecodeAuthorizationMessage"),
    # GetCallerIdentity cannot be denied.
    open=("GetCallerIdentity", "AssumeRole", "AssumeRoleWithWebIdentity"),
)
