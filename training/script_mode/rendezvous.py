"""Where the processes of a job meet, and how NCCL and EFA talk there."""

import socket
import time
from collections.abc import Callable

from training.errors import ConfigError
from training.script_mode.setting import Setting

MASTER_PORT = "7777"
TORCHRUN_SHUTDOWN_SECONDS = "115"  # of the 120 s that SageMaker gives; torchrun's own 30 s are few for a checkpoint
RDMA_TYPES = frozenset(
    f"ml.{name}"
    for name in ("p4d.24xlarge", "p4de.24xlarge", "p5.48xlarge", "p5e.48xlarge", "trn1.32xlarge", "p6e-gb200.36xlarge")
)
EFA_TYPES = RDMA_TYPES | {"ml.g4dn.8xlarge", "ml.g4dn.12xlarge", "ml.g5.48xlarge", "ml.p3dn.24xlarge"}
"""sagemaker-training 5.1.4, __init__.py. For newer types name FI_PROVIDER in the job's environment."""

RESOLVE_SECONDS = 15 * 60.0  # the toolkit's limit; the hosts of a job come up one after the other
FIRST_LOOK_SECONDS, SLOWEST_LOOK_SECONDS = 0.1, 30.0


def rendezvous(setting: Setting) -> dict[str, str]:
    """The variables; what the job's own environment says of one comes first."""
    kind = setting.cluster.instance_type
    defaults = {
        "MASTER_ADDR": setting.hosts[0],
        "MASTER_PORT": MASTER_PORT,
        "NCCL_SOCKET_IFNAME": setting.cluster.interface,
        "NCCL_IB_DISABLE": "1",
        "NCCL_DEBUG": "WARN",
    }
    if setting.torchrun:
        defaults |= {"NCCL_PROTO": "simple", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": TORCHRUN_SHUTDOWN_SECONDS}
        defaults |= {"FI_PROVIDER": "efa"} if kind in EFA_TYPES else {}
        defaults |= {"FI_EFA_USE_DEVICE_RDMA": "1", "RDMAV_FORK_SAFE": "1"} if kind in RDMA_TYPES else {}
    return defaults | {name: given for name in defaults if (given := setting.environ.get(name))}


def wait_for_hosts(setting: Setting, stopped: Callable[[], object]) -> None:
    """Until every host of the job has an address, or `stopped()` is true.

    Raises ConfigError after RESOLVE_SECONDS. One host alone needs none, nor does a job that brings its own MASTER_ADDR.
    """
    deadline, wait_seconds = time.monotonic() + RESOLVE_SECONDS, FIRST_LOOK_SECONDS
    waiting = [] if len(setting.hosts) == 1 or setting.environ.get("MASTER_ADDR") else setting.hosts
    while waiting and not stopped():
        try:
            socket.gethostbyname(waiting[0])
            waiting.pop(0)
        except OSError as error:
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"host {waiting[0]} of this job has no address after {RESOLVE_SECONDS / 60:.0f} minutes ({error}); "
                    "the instances must reach each other: see the security group of the job's network"
                ) from error
            time.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, SLOWEST_LOOK_SECONDS)
