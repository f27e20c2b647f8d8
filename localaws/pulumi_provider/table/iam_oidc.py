"""Identity providers outside AWS (OpenID Connect), such as a CI service's."""

from __future__ import annotations

from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import Form, Input, Properties, Read, ResourceType, Step, TagStyle
from localaws.pulumi_provider.table.iam import GONE


def _replace_clients(context: Context, properties: Properties) -> None:
    """There is no operation for the whole list of client ids: what is missing is added, what is left over removed."""
    key = {"OpenIDConnectProviderArn": properties["arn"]}
    present = set(context.call("GetOpenIDConnectProvider", key).get("ClientIDList", []))
    wanted = set(properties["clientIdLists"])
    for client in sorted(wanted - present):
        context.call("AddClientIDToOpenIDConnectProvider", {**key, "ClientID": client})
    for client in sorted(present - wanted):
        context.call("RemoveClientIDFromOpenIDConnectProvider", {**key, "ClientID": client})


OPEN_ID_CONNECT_PROVIDER = ResourceType(
    token="aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    service="iam",
    create="CreateOpenIDConnectProvider",
    read=Read(operation="GetOpenIDConnectProvider"),
    delete="DeleteOpenIDConnectProvider",
    key={"OpenIDConnectProviderArn": "arn"},
    created={"arn": "OpenIDConnectProviderArn"},
    id="{arn}",
    import_id=r"(?P<arn>arn:.+:oidc-provider/.+)",
    inputs={
        # IAM wants the address with its https:// and answers it without, and so does the real provider's output.
        "url": Input(required=True, replaces=True, form=Form.URL, reported=True),
        "clientIdLists": Input(api="ClientIDList", required=True),
        "thumbprintLists": Input(api="ThumbprintList"),
    },
    steps=(
        Step(operation="AddClientIDToOpenIDConnectProvider", act=_replace_clients, properties=("clientIdLists",)),
        Step(operation="UpdateOpenIDConnectProviderThumbprint", properties=("thumbprintLists",)),
    ),
    tags=TagStyle(
        key={"OpenIDConnectProviderArn": "arn"},
        create="Tags",
        add="TagOpenIDConnectProvider",
        remove="UntagOpenIDConnectProvider",
    ),
    gone=GONE,
    regional=False,
)

ROWS = (OPEN_ID_CONNECT_PROVIDER,)
