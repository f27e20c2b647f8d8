"""Which fleets of an endpoint take its requests, and what share each gets. Replaced as a whole, never changed."""

import random
from dataclasses import dataclass

from localaws.sagemaker.fleet import Fleet


@dataclass(frozen=True, kw_only=True, eq=False)
class Traffic:
    """`routes` are (fleet, share); the shares add up to 1."""

    routes: tuple[tuple[Fleet, float], ...] = ()

    @property
    def fleets(self) -> list[Fleet]:
        return [fleet for fleet, _ in self.routes]

    def order(self) -> list[Fleet]:
        """The fleet drawn for a request, then the others that could take it instead."""
        if len(self.routes) < 2:
            return self.fleets
        drawn = random.choices(self.fleets, [share for _, share in self.routes])[0]
        return [drawn, *(fleet for fleet, share in self.routes if fleet is not drawn and share > 0)]

    def has(self, variant: str) -> bool:
        return any(variant in fleet.production for fleet in self.fleets)


def only(fleet: Fleet) -> Traffic:
    return Traffic(routes=((fleet, 1.0),))


def split(old: Fleet, new: Fleet, share: float) -> Traffic:
    """`share` of the requests (0 to 1) to the new fleet, the rest to the old one."""
    if share >= 1:
        return only(new)
    return Traffic(routes=((old, 1 - share), (new, share))) if share > 0 else only(old)
