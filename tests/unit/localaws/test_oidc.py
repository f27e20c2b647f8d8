"""IAM OpenID Connect providers: the rules of AWS that moto leaves out."""

import re

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, unique


def test_a_provider_changes_its_clients_and_is_found_by_its_tags(aws: Aws) -> None:
    iam, stack = aws.client("iam"), unique("stack")
    url = f"https://{stack}.example.com"
    tags = [{"Key": "slipway:stack", "Value": stack}]
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"], Tags=tags)[
        "OpenIDConnectProviderArn"
    ]
    assert aws.tagged(stack) == [arn]
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert found["ClientIDList"] == ["sts.amazonaws.com", "other"]
    assert re.fullmatch("[0-9a-f]{40}", found["ThumbprintList"][0])  # AWS finds it when none is given
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["sts.amazonaws.com"]
    with pytest.raises(ClientError, match=r"EntityAlreadyExists.*already exists"):
        iam.create_open_id_connect_provider(Url=url)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)  # gone already is no error
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
