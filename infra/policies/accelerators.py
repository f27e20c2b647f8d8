"""GPUs and other accelerator chips of SageMaker's instance types (aws.amazon.com/ec2/instance-types, accelerated)."""

import re

ACCELERATED = re.compile(r"ml\.(?P<family>(p|g|gr|trn|inf|dl)\d[a-z0-9-]*)\.(?P<size>\w+)")
ONE = dict.fromkeys(("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"), 1)
PER_SIZE: dict[str, dict[str, int]] = {
    "dl1": {"24xlarge": 8},
    "g4dn": {**ONE, "12xlarge": 4},
    "g5": {**ONE, "12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "g6": {**ONE, "12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "g6e": {**ONE, "12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "g7": {"2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 2, "24xlarge": 4, "48xlarge": 8},
    "g7e": {"2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 2, "24xlarge": 4, "48xlarge": 8},
    "inf1": {"xlarge": 1, "2xlarge": 1, "6xlarge": 4, "24xlarge": 16},
    "inf2": {"xlarge": 1, "8xlarge": 1, "24xlarge": 6, "48xlarge": 12},
    "p2": {"xlarge": 1, "8xlarge": 8, "16xlarge": 16},
    "p3": {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8},
    "p3dn": {"24xlarge": 8},
    "p4d": {"24xlarge": 8},
    "p4de": {"24xlarge": 8},
    "p5": {"4xlarge": 1, "48xlarge": 8},
    "p5e": {"48xlarge": 8},
    "p5en": {"48xlarge": 8},
    "p6-b200": {"48xlarge": 8},
    "p6-b300": {"48xlarge": 8},
    "p6e-gb200": {"36xlarge": 4},
    "trn1": {"2xlarge": 1, "32xlarge": 16},
    "trn1n": {"32xlarge": 16},
    "trn2": {"48xlarge": 16},
}


def accelerators(instance_type: str) -> int | None:
    """Chips of one instance: 0 for a type without any, None for an accelerated type that the table lacks."""
    found = ACCELERATED.fullmatch(instance_type)
    return PER_SIZE.get(found["family"], {}).get(found["size"]) if found else 0
