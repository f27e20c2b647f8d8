"""In which units keys are counted, and how the ledger holds them: as whole seconds, bytes and pieces.

A quantity of the book's unit is the ledger's amount divided by the divisor of its key, so that a month of seconds is
730 hours exactly and the parts of a bill add up to the whole of it.
"""

from decimal import Decimal

GB_BYTES = 2**30
HOUR_SECONDS = 3600
MONTH_SECONDS = 730 * HOUR_SECONDS  # a month of AWS's own calculator

# By the part of a key before the colon, or by the whole key: (unit, amount of the ledger in one of them).
_UNITS: dict[str, tuple[str, int]] = {
    "Training": ("hour", HOUR_SECONDS),
    "Hosting": ("hour", HOUR_SECONDS),
    "BatchTransform": ("hour", HOUR_SECONDS),
    "Processing": ("hour", HOUR_SECONDS),
    "Serverless": ("second", 1),
    "ServerlessProvisioned": ("second", 1),
    "ServerlessProvisionedInference": ("second", 1),
    "Volume": ("GB-month", MONTH_SECONDS),
    "Data": ("GB", GB_BYTES),
    "S3:Storage": ("GB-month", GB_BYTES * MONTH_SECONDS),
    "S3": ("request", 1),
    "Logs:Storage": ("GB-month", GB_BYTES * MONTH_SECONDS),
    "Logs:Ingest": ("GB", GB_BYTES),
    "ECR:Storage": ("GB-month", GB_BYTES * MONTH_SECONDS),
    "CloudWatch:Alarm": ("metric-month", MONTH_SECONDS),
    "CloudWatch:HighResolutionAlarm": ("metric-month", MONTH_SECONDS),
    "CloudWatch:Dashboard": ("dashboard-month", MONTH_SECONDS),
    "KMS:Key": ("key-month", MONTH_SECONDS),
    "SecretsManager:Secret": ("secret-month", MONTH_SECONDS),
    "CodeBuild": ("minute", 1),
    "Scheduler:Invocation": ("invocation", 1),
    "SNS:Publish": ("request", 1),
    "SNS:Email": ("message", 1),
    "Lambda:Request": ("request", 1),
    "Lambda:Duration": ("GB-second", 1),
    "EC2:InterfaceEndpoint": ("hour", HOUR_SECONDS),
    "CloudTrail:DataEvent": ("event", 1),
    "Transfer": ("GB", GB_BYTES),
}


def _entry(key: str) -> tuple[str, int]:
    found = _UNITS.get(key) or _UNITS.get(key.partition(":")[0])
    if found is None:
        raise ValueError(f"no unit is known for {key!r}; known: {', '.join(_UNITS)}")
    return found


def unit(key: str) -> str:
    """The book's unit of a key. Raises ValueError for a key of no known kind."""
    return _entry(key)[0]


def divisor(key: str) -> int:
    """How much of the ledger's amount makes one unit. Raises ValueError for a key of no known kind."""
    return _entry(key)[1]


def amount(key: str, quantity: Decimal | float | int) -> Decimal:
    """A quantity in the book's unit as an amount of the ledger's."""
    return Decimal(str(quantity)) * divisor(key)
