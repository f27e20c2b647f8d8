"""One run of the function: what it works with, what it did, and what it could not do."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .endpoints import Endpoint, find_endpoint
from .events import Asked
from .facts import Facts
from .memory import Memory, State
from .rules import utc

Client = Callable[[str], Any]
"""Gives the boto3 client of a service."""


@dataclass(kw_only=True)
class Run:
    facts: Facts
    client: Client
    memory: Memory
    asked: Asked
    did: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What cannot be done yet: the next check goes on with it."""
    problems: list[str] = field(default_factory=list)
    refused: str = ""

    @property
    def state(self) -> State:
        return self.memory.state

    @property
    def now(self) -> float:
        return self.asked.now

    def endpoint(self) -> Endpoint | None:
        return find_endpoint(self.client("sagemaker"), self.facts.prefix)

    def attempt(self, what: str, act: Callable[[], None]) -> None:
        """Do it; a refusal is noted and must not keep the function from what else there is to stop."""
        try:
            act()
        except (BotoCoreError, ClientError) as error:
            self.problems.append(f"{what}: {error}")

    def tell(self, headline: str, text: str) -> None:
        """The topic hears it when the run ends; it is remembered until then."""
        self.state["untold"].append([f"slipway {self.facts.prefix}: {headline}"[:100], f"{text}\n\n{utc(self.now)}"])
        self.memory.save()

    def publish(self) -> None:
        """At least once: a run that dies in between leaves it to the next."""
        sns = self.client("sns")
        while self.state["untold"]:
            subject, message = self.state["untold"][0]
            sns.publish(TopicArn=self.facts.topic, Subject=subject, Message=message)
            self.state["untold"].pop(0)
