"""The `monitoring` section of the stack's configuration.

docs/settings.md is generated from the descriptions here.
"""

from typing import Annotated

from pydantic import Field

from infra.sections import Section

Percent = Annotated[float, Field(gt=0, le=100)]


class Monitoring(Section):
    """Alarms, whom they tell, and the dashboard."""

    alarms: bool = Field(True, description="alarms of the endpoint and a dashboard")
    emails: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")], ...] = Field(
        (), description="addresses that the topic tells; each must confirm AWS's mail"
    )
    p99_latency_ms: int = Field(1000, ge=1, le=60000, description="alarm: the model's 99th percentile, ms")
    error_percent: Percent = Field(5, description="alarm: share of requests that fail")
    disk_percent: Percent = Field(85, description="alarm: disk in use on an instance")
    memory_percent: Percent = Field(90, description="alarm: memory in use on an instance")
