"""The hosts of one training job: their names, their loopback addresses, and the port at which they find each other.

All hosts of all jobs share one machine. In a mount namespace each process sees a hosts file with `algo-1`, `algo-2`,
... Where namespaces are not allowed nothing can make those names resolve for every program, so the hosts of a job of
several are called by their addresses there: AWS promises no particular names, only that hosts can be reached by those
in resourceconfig.json ("Distributed Training Configuration" in the developer guide).

    cat /opt/ml/input/config/resourceconfig.json; echo $MASTER_PORT     # in a training container
"""

import ipaddress
import itertools
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass

# Below the ports that outgoing connections get by themselves (Linux: from 32768, macOS: from 49152).
PORTS = range(20_000, 30_000)
LOOPBACK_INTERFACES = ("lo", "lo0")  # Linux, macOS
FIRST = ipaddress.IPv4Address("127.0.0.1")

DIFFERENCES = (
    (
        "MASTER_PORT in a training container",
        "AWS sets none. Here it is a free port of the job's own, because the hosts of all jobs share one machine; "
        "programs that fix their port (7777 in the SDK's torchrun driver) can run in one job at a time",
    ),
    (
        "host names of a job of several instances",
        "algo-1, algo-2, ... resolve inside the job; where mount namespaces are not allowed the hosts are called "
        "127.0.0.1, 127.0.0.2, ... (resourceconfig.json has the names, as in AWS)",
    ),
    ("network_interface_name", "the loopback interface; in AWS eth0 or the like"),
    ("devices and /tmp of a job's instances", "all see the same processors, GPUs and /tmp; /opt/ml is each one's own"),
)


@dataclass(frozen=True, kw_only=True)
class Host:
    """One instance. `label` is AWS's algo-N, in log streams; `name` is what the job's programs call it."""

    label: str
    name: str
    address: str


def hosts(count: int, *, resolvable: bool) -> list[Host]:
    """The hosts of a job by number; `resolvable` says whether a hosts file can be shown to their programs."""
    found = []
    for number in range(count):
        label, address = f"algo-{number + 1}", str(FIRST + number)
        name = label if resolvable or count == 1 else address
        found.append(Host(label=label, name=name, address=address))
    return found


def interface() -> str:
    """The name of the loopback interface: what gloo and NCCL are to be bound to. Raises OSError if there is none."""
    present = [name for _, name in socket.if_nameindex()]
    for name in LOOPBACK_INTERFACES:
        if name in present:
            return name
    raise OSError(f"interfaces are {', '.join(present)}; a job's hosts need one of {', '.join(LOOPBACK_INTERFACES)}")


class Port:
    """A TCP port that no other job on this machine has, until `release`.

    It is claimed by a UDP socket on the same number: whoever else chooses a port here cannot bind that, in this
    localaws or in another one, and the TCP port stays free for the job.
    """

    def __init__(self, ports: Sequence[int] = PORTS) -> None:
        """Raises OSError if every port is taken."""
        begin = random.randrange(len(ports))
        for number in itertools.chain(ports[begin:], ports[:begin]):
            claim = _claim(number)
            if claim is not None:
                self._claim, self.number = claim, number
                return
        raise OSError(f"no free port from {ports[0]} to {ports[-1]} for a training job; end some of the jobs")

    def release(self) -> None:
        self._claim.close()


def _claim(number: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claim.bind((str(FIRST), number))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that has just been closed is free
            probe.bind(("", number))
    except OSError:
        claim.close()
        return None
    return claim
