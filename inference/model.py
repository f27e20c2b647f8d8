"""What an App serves: an artifact of ours, a user's own code, or a container of many models."""

from collections.abc import Mapping
from typing import Protocol

from inference.http.messages import Cancel, Handler, Request, Respond


class Model(Protocol):
    """A loaded model that has proven itself."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Shown by /ping and /metrics: `engine`, `version`, `task`, and what else says which model this is."""

    @property
    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """Path -> method -> handler, besides /invocations."""

    def invoke(self, request: Request, respond: Respond) -> Cancel | None:
        """Answer a request to /invocations by calling `respond` once, now or later; raises RequestError."""

    def close(self) -> None:
        """Give threads and memory back; nothing may be invoked after."""
