"""The capacity ladder: a run's instance type, and those to go on with when AWS has no free instances of it.

Rung 1 is `training` as it is configured, the others are `training.fallbacks`. Each place on the ladder is a run of its
own name, because a training job's name cannot be used twice, and `plan` chooses the place from what AWS knows:

1. A run that was not refused for want of instances is kept, the newest of them: one that is under way, has completed,
   or has failed for a reason of its own. So a run that completed on a fallback is not trained again on rung 1.
2. Else the place after the last one that was refused, rung by rung.
3. After the last rung, or when the last refusal is older than an hour, the next round begins at rung 1, with new names.
4. Else rung 1.

Nothing but AWS's list of training jobs remembers the ladder: plain `pulumi up` climbs it, one rung each time.
A refused run may be gone from that list, since an update that succeeds deletes what it replaced; that changes nothing,
for the run that it succeeded with is kept. Runs of a stack that was destroyed are on the list too, so its successor
begins where that one last found instances.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from infra.capacity import KnownRun
from infra.training_section import Training
from slipway.prices.book import PriceMissing, load

ROUNDS = 50  # far more than anybody tries
FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One entry. `training` has its instance type; `usd`: an hour of all its instances, None where it is not known."""

    number: int
    of: int
    training: Training
    usd: Decimal | None

    def __str__(self) -> str:
        training = self.training
        price = "price unknown" if self.usd is None else f"USD {self.usd.normalize():f}/hour"
        kind = f", spot, at most {price}" if training.spot else f", {price}"
        return f"rung {self.number} of {self.of}: {training.instance_count} x {training.instance_type}{kind}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A rung in a round: one run."""

    rung: Rung
    rungs: tuple[Rung, ...]
    round: int = 0

    @property
    def content(self) -> Mapping[str, Any]:
        """What sets its run's name apart; nothing for the first, whose name is that of a run without a ladder."""
        spot = {"spot": self.rung.training.spot} if self.rung.number > 1 else {}
        return {**spot, **({"round": self.round} if self.round else {})}

    def refusal(self, run: str, reason: str) -> str:
        """What to tell when AWS had no instances for this place. slipway.ladder reads `goes on with`."""
        place = self.rungs.index(self.rung)
        tried = "\n".join(f"  no instances: {rung}" for rung in self.rungs[: place + 1])
        after = self.rungs[place + 1 :]
        onward = (
            f"`pulumi up` again goes on with {after[0]}; `slipway train` does so by itself."
            if after
            else "No rung is left. `pulumi up` again begins at the first one; more rungs: slipway:training.fallbacks"
        )
        untouched = "The endpoint was not touched and nothing was billed."
        return f"run {run} got no instances: {reason}\n{tried}\n{onward}\n{untouched}"


def usd_per_hour(training: Training, region: str) -> Decimal | None:
    """What all instances of one job cost an hour on demand, which spot never exceeds; None if the book has no price."""
    try:
        return load().instance(region, "Training", training.instance_type).usd * training.instance_count
    except PriceMissing:
        return None


def ladder(training: Training, region: str) -> tuple[tuple[Rung, ...], tuple[Rung, ...]]:
    """(rungs to climb, rungs above `max_usd_per_hour`); the numbers are those of the configuration."""
    steps = [training, *(training.on(fallback) for fallback in training.fallbacks)]
    rungs = [
        Rung(number=number, of=len(steps), training=step, usd=usd_per_hour(step, region))
        for number, step in enumerate(steps, 1)
    ]
    ceiling = training.max_usd_per_hour
    above = [rung for rung in rungs if ceiling is not None and rung.usd is not None and rung.usd > ceiling]
    return tuple(rung for rung in rungs if rung not in above), tuple(above)


def problems(training: Training, region: str) -> Iterator[str]:
    """What of the ladder's prices cannot be; sentences for the list of errors in the configuration."""
    ceiling = training.max_usd_per_hour
    if ceiling is None:
        return
    usable, above = ladder(training, region)
    for rung in usable:
        if rung.usd is None:
            kind = rung.training.instance_type
            try:
                load().instance(region, "Training", kind)
            except PriceMissing as error:
                yield f"slipway:training.max_usd_per_hour is {ceiling}, which {kind} cannot be held against: {error}"
    for rung in above:
        if rung.number == 1:
            yield (
                f"slipway:training.max_usd_per_hour is {ceiling}, but {rung} (instance_type and instance_count); "
                "raise it or take a smaller type"
            )


def plan(rungs: tuple[Rung, ...], hashed: Callable[[Place], str], look: Callable[[list[str]], list[KnownRun]]) -> Place:
    """The place to run at, by the rule above. `hashed` gives a place's 12 hex, `look` the runs that AWS knows."""
    places = [Place(rung=rung, rungs=rungs, round=turn) for turn in range(ROUNDS) for rung in rungs]
    by_content = {hashed(place): number for number, place in enumerate(places)}
    return places[_chosen(look(list(by_content)), by_content, len(rungs))]


def _chosen(known: Sequence[KnownRun], numbers: Mapping[str, int], length: int) -> int:
    kept = [run for run in known if not run.refused]
    if kept:
        return numbers[max(kept, key=lambda run: run.created).content]
    if not known:
        return 0
    last = max(known, key=lambda run: numbers[run.content])
    number = numbers[last.content]
    following = number + 1 if last.age <= FORGOTTEN_AFTER else (number // length + 1) * length
    return min(following, ROUNDS * length - 1)


def warnings(above: Iterable[Rung], ceiling: Decimal | None) -> Iterator[str]:
    for rung in above:
        yield f"skipped, for slipway:training.max_usd_per_hour is {ceiling}: {rung}"
