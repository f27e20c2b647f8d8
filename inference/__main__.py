"""`serve`: the model server (settings in inference.settings).

    SAGEMAKER_BASE_DIR=/tmp/job python -m inference      # serves /tmp/job/model
    python -m inference --check /tmp/job/model           # validates an artifact and prints its facts

Exit codes: 0 done, 1 the artifact was refused or the port is taken, 2 wrong usage or settings.
"""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

from inference.settings import Settings, SettingsError, read_settings

EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def main() -> NoReturn:
    """Do what the command line says and leave; os._exit skips torch's slow orderly end (1.5 s, nothing to save)."""
    parser = argparse.ArgumentParser(prog="serve", description="Serve the artifact in $SAGEMAKER_BASE_DIR/model.")
    parser.add_argument("--check", metavar="FOLDER", type=Path, help="validate an artifact, print its facts and exit")
    arguments = parser.parse_args()
    code = check(arguments.check) if arguments.check else serve()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = read_settings()
    except SettingsError as error:
        return _complain(error, EXIT_USAGE)
    from inference.artifact import ArtifactError

    try:
        if sys.platform == "linux":
            from inference.processes.supervisor import supervise

            return supervise(settings)
        return _serve_in_one_process(settings)
    except ArtifactError as error:
        return _complain(error, EXIT_FAILED)
    except OSError as error:
        hint = "set SAGEMAKER_BIND_TO_PORT to a free one"
        return _complain(f"cannot listen on port {settings.port}: {error.strerror}; {hint}", EXIT_FAILED)


def _serve_in_one_process(settings: Settings) -> int:
    """Where a process with torch in it cannot be forked."""
    import uvloop

    from inference.server import Server

    async def run() -> None:
        await Server(settings).run()

    uvloop.run(run())
    logging.getLogger(__name__).info("stopped")
    return EXIT_DONE


def check(folder: Path) -> int:
    """Validate the artifact in `folder`, run its examples and print what it is."""
    from inference.artifact import ArtifactError, load
    from inference.engines.engine import engine_for
    from inference.engines.prove import prove
    from inference.manifests.facts import facts

    try:
        artifact = load(folder)
        seconds = prove(engine_for(artifact), artifact, artifact.tokenizer())
    except ArtifactError as error:
        return _complain(error, EXIT_FAILED)
    for name, fact in facts(artifact, seconds):
        print(f"{name:<14} {fact}")
    return EXIT_DONE


def _complain(reason: object, code: int) -> int:
    print(f"serve: {reason}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
