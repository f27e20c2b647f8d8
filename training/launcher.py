"""Several processes on this host: torchrun, with SageMaker's hosts as its nodes.

SageMaker starts `train` once on each host, and its stop signal reaches that process alone. So this process stays: it
starts torchrun, hands SIGTERM straight to the workers (torchrun itself would give them 30 of the 120 seconds), and ends
with the workers' verdict.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.environment import Cluster
from training.errors import EXIT_FAILED, EXIT_STOPPED, ConfigError
from training.signals import StopFlag

MASTER_PORT = "7777"  # AWS's training toolkit uses it
RESOLVE_SECONDS = 300.0  # a host's name may not be known to the others at once
POLL_SECONDS = 0.2
# How often the workers are told again: one that was just starting had no handler yet.
REPEAT_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What torchrun is told: `processes` on each of the cluster's hosts."""

    cluster: Cluster
    processes: int

    def command(self, log_folder: str) -> list[str]:
        """The command line of torchrun on this host, which makes a folder below `log_folder` and leaves it there."""
        cluster = self.cluster
        where = ["--standalone"]
        if len(cluster.hosts) > 1:
            where = [
                f"--nnodes={len(cluster.hosts)}",
                f"--node-rank={cluster.index}",
                f"--master-addr={cluster.hosts[0]}",
                f"--master-port={os.environ.get('MASTER_PORT', MASTER_PORT)}",
            ]
        torchrun = [sys.executable, "-m", "torch.distributed.run"]
        return [*torchrun, *where, f"--nproc-per-node={self.processes}", f"--log-dir={log_folder}", "-m", "training"]

    def environment(self) -> dict[str, str]:
        """gloo and NCCL talk over the interface that SageMaker names; threads are the workers' own choice."""
        interface = self.cluster.interface if len(self.cluster.hosts) > 1 else "lo"
        known = {name for _, name in socket.if_nameindex()}
        names = {"NCCL_SOCKET_IFNAME": interface, "GLOO_SOCKET_IFNAME": interface} if interface in known else {}
        return {"OMP_NUM_THREADS": "1", **names, **os.environ}


def launch(plan: Launch, stop: StopFlag, report: Callable[[str], None]) -> int:
    """Run the workers to their end; returns the job's exit code on this host."""
    wait_for_hosts(plan.cluster, stop)
    report(f"hosts={len(plan.cluster.hosts)} host={plan.cluster.current} processes={plan.processes}")
    with tempfile.TemporaryDirectory(prefix="torchrun-") as log_folder:
        return _watched(plan, log_folder, stop)


def _watched(plan: Launch, log_folder: str, stop: StopFlag) -> int:
    """Start torchrun, pass a stop on to its workers, and wait for its end."""
    process = subprocess.Popen(plan.command(log_folder), env=plan.environment())
    told_at = 0.0
    try:
        while process.poll() is None:
            if stop and time.monotonic() - told_at >= REPEAT_SECONDS:
                tell(process.pid, signal.SIGTERM)
                told_at = time.monotonic()
            time.sleep(POLL_SECONDS)
    finally:
        if process.poll() is None:
            tell(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
    if process.returncode == 0:
        return 0
    return EXIT_STOPPED if stop else EXIT_FAILED


def visible_gpus() -> int:
    """GPUs that processes of this host may use, found without importing torch."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([name for name in chosen.split(",") if name.strip() and name.strip() != "-1"])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def tell(pid: int, number: int) -> None:
    """Send a signal to the children of process `pid`, not to itself."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        try:
            os.kill(int(child), number)
        except ProcessLookupError:
            pass


def wait_for_hosts(cluster: Cluster, stop: StopFlag) -> None:
    """Until every host's name resolves; raises ConfigError with those that do not."""
    deadline = time.monotonic() + RESOLVE_SECONDS
    missing = list(cluster.hosts) if len(cluster.hosts) > 1 else []
    while missing := [host for host in missing if not _resolves(host)]:
        if time.monotonic() > deadline or stop:
            raise ConfigError(
                f"the hosts {', '.join(missing)} of resourceconfig.json did not resolve in {RESOLVE_SECONDS:g} s; "
                "in a VPC the job's security group has to let its own instances talk to each other"
            )
        time.sleep(POLL_SECONDS)


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
