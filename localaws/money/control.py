"""What the front asks of money. It loads the rest of the package when it is first needed, which a start need not."""

from typing import Any

from localaws.cloud import Cloud


def meter(cloud: Cloud) -> dict[str, Any]:
    """GET /_localaws/meter."""
    from localaws.money import bill

    return bill.meter(cloud)


def look(cloud: Cloud) -> None:
    """See what is there now (samples.py): before and after the clock is moved by hand."""
    from localaws.money import samples

    samples.take(cloud)
