"""The provider's verbs over the table: what the engine asks for, in plain Python values.

`server.py` puts it behind gRPC. All state lives in the engine; this object only holds the configuration and clients.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from localaws.pulumi_provider import config, invokes, lifecycle
from localaws.pulumi_provider.aws import Aws, CallError, Context, call
from localaws.pulumi_provider.check import UnknownTokenError, check
from localaws.pulumi_provider.diff import DEFAULTS, Change, changes, delete_before_replace
from localaws.pulumi_provider.inputs import complete
from localaws.pulumi_provider.refresh import imported_inputs, refreshed_inputs
from localaws.pulumi_provider.scalars import Failure, nearest
from localaws.pulumi_provider.schema import Properties, ResourceType
from localaws.pulumi_provider.table import TABLE


class Provider:
    """The five verbs, checks and lookups. Every method may run in any thread."""

    def __init__(self, table: Mapping[str, ResourceType] = TABLE) -> None:
        self.table = table
        self.cancelled = threading.Event()
        self._config: config.Config | None = None
        self._aws: Aws | None = None

    def configure(self, inputs: Mapping[str, Any]) -> None:
        """Takes the configuration. Raises ValueError for wrong inputs, an address elsewhere, or another account."""
        settings = config.parse(inputs)
        self._aws = Aws(region=settings.region, credentials=settings.credentials, endpoints=settings.endpoints)
        self._config = settings
        if settings.allowed_accounts or settings.forbidden_accounts:
            self._check_account(settings)

    def check(
        self, token: str, name: str, old: Properties, new: Properties, seed: bytes
    ) -> tuple[Properties, list[Failure]]:
        """Completed inputs, and everything that is wrong with them."""
        row = self.row(token)
        completed, failures = complete(row, name, old, new, self.settings.default_tags, seed)
        return completed, [*failures, *check(row, completed)]

    def diff(
        self, token: str, old: Properties, state: Properties, new: Properties
    ) -> tuple[ResourceType, list[Change], bool]:
        """The row, the differences, and whether a replacement must delete the old resource first."""
        row = self.row(token)
        if row.regional:  # a region that the program leaves out is the provider's
            old = {**old, "region": old.get("region") or state.get("region") or self.aws.region}
            new = {**new, "region": new.get("region") or self.aws.region}
        return row, changes(row, old, new), delete_before_replace(row, old, new)

    def create(
        self, token: str, name: str, inputs: Properties, preview: bool, timeout: float
    ) -> tuple[str, Properties]:
        """Id and state of the new resource; in a preview no id and the state as far as it is known."""
        row = self.row(token)
        if preview:
            return "", lifecycle.preview_create(row, inputs)
        return lifecycle.create(self._context(row, inputs, timeout), inputs)

    def read(
        self, token: str, resource_id: str, state: Properties, inputs: Properties
    ) -> tuple[Properties, Properties]:
        """State and inputs as AWS has them; two empty dictionaries if the resource is gone."""
        row = self.row(token)
        known = lifecycle.key_of(row, resource_id, state)
        actual = lifecycle.read(self._context(row, known, 0), known)
        if actual is None:
            return {}, {}
        local = {name: value for name, value in state.items() if name in row.inputs and row.inputs[name].local}
        if inputs:
            return {**local, **actual}, refreshed_inputs(row, inputs, actual)
        found = imported_inputs(row, actual)
        return {**found, **actual}, {**found, DEFAULTS: []}

    def update(
        self, token: str, old: Properties, state: Properties, new: Properties, preview: bool, timeout: float
    ) -> Properties:
        """The state after the differences were applied in place."""
        row = self.row(token)
        if preview:
            return lifecycle.preview_update(row, state, new, [change.property for change in changes(row, old, new)])
        return lifecycle.update(self._context(row, state, timeout), old, state, new)

    def delete(self, token: str, state: Properties, timeout: float) -> None:
        """Deletes the resource."""
        row = self.row(token)
        lifecycle.delete(self._context(row, state, timeout), state)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """The result of a function. Raises UnknownTokenError."""
        if token not in invokes.INVOKES:
            raise UnknownTokenError(f"{token!r} is no function of this provider; {nearest(token, invokes.INVOKES)}")
        return invokes.INVOKES[token](self.aws, arguments)

    def row(self, token: str) -> ResourceType:
        """The table's row. Raises UnknownTokenError with the nearest known type."""
        if token not in self.table:
            raise UnknownTokenError(f"{token!r} is no resource type of this provider; {nearest(token, self.table)}")
        return self.table[token]

    @property
    def aws(self) -> Aws:
        """The clients. Raises RuntimeError before `configure`."""
        if self._aws is None:
            raise RuntimeError("the provider is not configured yet")
        return self._aws

    @property
    def settings(self) -> config.Config:
        """The configuration. Raises RuntimeError before `configure`."""
        if self._config is None:
            raise RuntimeError("the provider is not configured yet")
        return self._config

    def _context(self, row: ResourceType, properties: Properties, timeout: float) -> Context:
        region = properties.get("region") if row.regional else None
        return Context(
            aws=self.aws,
            row=row,
            region=region or self.aws.region,
            timeout_seconds=timeout or None,
            cancelled=self.cancelled,
        )

    def _check_account(self, settings: config.Config) -> None:
        try:
            account = call(self.aws.client("sts", self.aws.region), "GetCallerIdentity", {})["Account"]
        except CallError as error:
            raise ValueError(f"allowedAccountIds cannot be checked: {error}") from error
        if settings.allowed_accounts and account not in settings.allowed_accounts:
            allowed = ", ".join(settings.allowed_accounts)
            raise ValueError(
                f"allowedAccountIds: the account is {account}, allowed: {allowed}; change AWS_ENDPOINT_URL"
            )
        if account in settings.forbidden_accounts:
            raise ValueError(f"forbiddenAccountIds: the account is {account}, which is forbidden")
