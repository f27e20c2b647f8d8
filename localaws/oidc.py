"""IAM OpenID Connect providers: the client ids that moto cannot change, and the thumbprint that AWS finds by itself."""

import hashlib
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import EntityAlreadyExists
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

_create = IAMBackend.create_open_id_connect_provider


def install() -> None:
    """Put the rules into moto's IAM. Doing it twice does no harm."""
    IAMBackend.create_open_id_connect_provider = _create_provider
    IamResponse.add_client_id_to_open_id_connect_provider = _add_client
    IamResponse.remove_client_id_from_open_id_connect_provider = _remove_client


def _create_provider(
    self: IAMBackend, url: str, thumbprint_list: list[str], client_id_list: list[str], tags: list[dict[str, str]]
) -> Any:
    # Without a thumbprint AWS asks the provider; here any fixed one stands for it.
    found = thumbprint_list or [hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()]
    try:
        return _create(self, url, found, client_id_list, tags)
    except EntityAlreadyExists as error:
        raise EntityAlreadyExists(f"Provider with url {url} already exists.") from error


def _clients(response: IamResponse) -> list[str]:
    arn = response._get_param("OpenIDConnectProviderArn")
    found: list[str] = response.backend.get_open_id_connect_provider(arn).client_id_list
    return found


def _add_client(self: IamResponse) -> ActionResult:
    clients, wanted = _clients(self), self._get_param("ClientID")
    if wanted not in clients:
        clients.append(wanted)
    return EmptyResult()


def _remove_client(self: IamResponse) -> ActionResult:
    clients, unwanted = _clients(self), self._get_param("ClientID")
    if unwanted in clients:
        clients.remove(unwanted)
    return EmptyResult()
