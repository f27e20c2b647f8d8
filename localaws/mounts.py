"""`/opt/ml` for one process: a mount namespace of its own, nothing written outside of it.

Training scripts use the literal path `/opt/ml`. Where the kernel allows (root, or unprivileged user namespaces) each
process gets the job's folder mounted there; elsewhere variables point to the folder (containers.py). If the machine
has no `/opt/ml`, a tmpfs covers `/opt` inside the namespace and the former children of `/opt` are bound back,
because an interpreter may live there.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

# $1 the folder for /opt/ml, $2 a hosts file or "", $3 folders below /opt/ml to make read-only; then the program.
SCRIPT = """
set -e
root=$1 hosts=$2 readonly=$3
shift 3
if [ ! -d /opt/ml ]; then
  stage="$root.opt"
  mkdir -p "$stage"
  mount --rbind /opt "$stage"
  mount -t tmpfs tmpfs /opt
  for entry in "$stage"/* "$stage"/.[!.]*; do
    target="/opt/${entry##*/}"
    if [ -L "$entry" ]; then cp -P "$entry" "$target"
    elif [ -d "$entry" ]; then mkdir "$target"; mount --rbind "$entry" "$target"
    elif [ -e "$entry" ]; then : > "$target"; mount --bind "$entry" "$target"
    fi
  done
  mkdir /opt/ml
fi
mount --bind "$root" /opt/ml
for name in $readonly; do
  mount --bind "/opt/ml/$name" "/opt/ml/$name"
  mount -o remount,bind,ro "/opt/ml/$name"
done
if [ -n "$hosts" ]; then mount --bind "$hosts" /etc/hosts; fi
exec "$@"
"""
PROBE_SECONDS = 10


def command(unshare: Sequence[str], root: Path, hosts: Path | None, readonly: Sequence[str]) -> list[str]:
    """The words to put before a program; every step is an exec, so the program keeps the process id."""
    return [*unshare, "/bin/sh", "-c", SCRIPT, "sh", str(root), str(hosts or ""), " ".join(readonly)]


@cache
def unshare() -> tuple[str, ...] | None:
    """How to enter a namespace here, or None where it is not allowed. Tries it once, for real."""
    program = shutil.which("unshare")
    if program is None or not Path("/opt").is_dir():
        return None
    words = (program, "-m") if os.geteuid() == 0 else (program, "-Urm")
    with tempfile.TemporaryDirectory() as folder:
        root, hosts = Path(folder, "ml"), Path(folder, "hosts")
        (root / "model").mkdir(parents=True)
        hosts.write_text("127.0.0.1 localhost\n")
        test = ["/bin/sh", "-c", "test -d /opt/ml/model && ! touch /opt/ml/model/x 2>/dev/null"]
        tried = [*command(words, root, hosts, ["model"]), *test]
        done = subprocess.run(tried, capture_output=True, timeout=PROBE_SECONDS, check=False)
    return words if done.returncode == 0 else None
