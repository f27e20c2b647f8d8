"""What happens by itself with each minute of the clock: metrics are published, alarms judged, variants scaled.

Reads of CloudWatch do the first two themselves; the thread is for the time in which nobody looks.
"""

import sys
import traceback

from localaws.alarms.store import catch_up
from localaws.alarms.transitions import Alarms
from localaws.clock import Event
from localaws.cloud import GLOBAL, Cloud
from localaws.rounds import PAUSE_MACHINE_SECONDS, Rounds
from localaws.sagemaker.state import SageMaker
from localaws.scaling import act


class Minutes(Rounds):
    """Of alarms and scaling."""


def watch(cloud: Cloud) -> None:
    """Start it, once: there is something now that must act while nobody looks."""
    cloud.store(GLOBAL, Minutes).begin(cloud, _act, "minutes")


def _act(cloud: Cloud, stop: Event) -> None:
    for region in {*cloud.stores(Alarms), *cloud.stores(SageMaker)}:
        try:
            catch_up(cloud, region)
            act(cloud, region)
        except Exception:  # the other regions have their turn all the same
            traceback.print_exc(file=sys.stderr)
        if stop.wait(PAUSE_MACHINE_SECONDS):
            return
