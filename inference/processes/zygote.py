"""The process that loads the model once and forks the workers, which share its memory.

A forked worker answers after some 60 ms with weights that are loaded, proven and warmed up, so one that died is soon
replaced, and ten workers need hardly more memory than one. It lives until its supervisor closes the channel.
"""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from inference.manifests.fields import ArtifactError
from inference.metrics import Metrics, SharedTable
from inference.processes.loading import announce, can_be_shared, load_model
from inference.processes.parent import die_with_parent
from inference.processes.worker import Startable
from inference.settings import Settings

log = logging.getLogger(__name__)

READY = b"r"
EXIT_REFUSED, EXIT_BROKEN = 1, 70

Work = Callable[[socket.socket, Settings, SharedTable, int, Startable | None], NoReturn]


def live(end: socket.socket, settings: Settings, table: SharedTable, work: Work) -> NoReturn:
    """Load, say so, and fork a worker for each row number that comes with a socket; never returns."""
    try:
        _live(end, settings, table, work)
    except ArtifactError as error:
        leave(f"serve: {error}", EXIT_REFUSED)
    except Exception:  # nor may it reach the handlers of the process that this one was forked from
        log.exception("the process that loads the model failed")
        leave("", EXIT_BROKEN)


def _live(end: socket.socket, settings: Settings, table: SharedTable, work: Work) -> NoReturn:
    die_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the supervisor decides
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to wait for the workers
    Metrics(table, row=table.rows - 2)  # so that its memory is counted
    model = None
    if can_be_shared(settings):
        model = load_model(settings)
        announce(model, settings)
    end.send(READY)
    while True:
        message, files, _, _ = socket.recv_fds(end, 1, 1)
        if not message:
            leave("", 0)
        if os.fork() == 0:
            end.close()
            work(socket.socket(fileno=files[0]), settings, table, message[0], model)
        os.close(files[0])


def leave(text: str, code: int) -> NoReturn:
    """End at once: torch's orderly end takes 1.5 s and has nothing to save."""
    if text:
        print(text, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
