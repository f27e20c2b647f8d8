"""What money does with each minute of the clock: look at what is there, judge the budgets."""

from localaws.clock import Event
from localaws.cloud import GLOBAL, Cloud
from localaws.rounds import Rounds


class MoneyMinutes(Rounds):
    """Of what costs by being there, and of budgets."""


def watch(cloud: Cloud) -> None:
    """Start it, once: there is something now that costs by being there, or a budget."""
    cloud.store(GLOBAL, MoneyMinutes).begin(cloud, _act, "money")


def _act(cloud: Cloud, stop: Event) -> None:
    from localaws.money import budget_watch, samples  # see control.py

    samples.take(cloud)
    budget_watch.look(cloud)
