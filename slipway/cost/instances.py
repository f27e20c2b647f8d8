"""What is known of an instance type by its name."""

import re

LOCAL_DISK = re.compile(r"ml\.([a-z]+\d+[a-z]*d|g4dn|g[5-9]|gr\d|p[56]|p3dn|p4d|trn|dl)")
"""Families whose storage is their own NVMe disk: SageMaker attaches and bills no EBS volume (as infra has it)."""
DEFAULT_HOSTING_VOLUME_GB = 30
"""What an endpoint's instance gets when no size is asked for: an assumption; AWS does not state it."""


def has_local_disk(instance_type: str) -> bool:
    return LOCAL_DISK.match(instance_type) is not None
