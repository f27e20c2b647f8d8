"""`python -m localaws [--host H] [--port N] [--state DIR]`: prints its URL, then runs until SIGTERM or Ctrl-C."""

import argparse
import errno
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from localaws.app import App
from localaws.cloud import Cloud
from localaws.sagemaker import interruptions

EXIT_USAGE = 2


class RequestHandler(MotoRequestHandler):
    """Keep-alive, no delay of small packets, no access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return None


def parse_args(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localaws", description="An embedded AWS for one machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--state", type=Path, help="folder for images and jobs (default: a temporary one)")
    parser.add_argument("--mounts", choices=("auto", "off"), default="auto", help="/opt/ml by mount namespace, or not")
    parser.add_argument("--spot", metavar="JSON", type=_rate, help="spot interruptions, as for POST /_localaws/spot")
    parser.add_argument("--prices", type=_file, metavar="FILE", help="price book; without one nothing has a price")
    parser.add_argument("--quotas", type=Path, metavar="FILE", help="SageMaker's quotas; without it there are none")
    parser.add_argument("--coverage", action="store_true", help="print what is emulated, as markdown, and exit")
    return parser.parse_args(words)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file; give a price book (JSON)")
    return Path(text).resolve()


def _rate(text: str) -> interruptions.Rate:
    try:
        return interruptions.read_rate(text.encode())
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def serve(options: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT. Raises OSError when the address cannot be used."""
    state = options.state or Path(tempfile.mkdtemp(prefix="localaws-"))
    prices = options.prices.resolve() if options.prices else None
    quotas = options.quotas.resolve() if options.quotas else None
    cloud = Cloud(state=state.resolve(), mounts=options.mounts == "auto", prices=prices, quotas=quotas)
    try:
        if options.state is None:
            cloud.launcher.remove_at_end(state)
        if options.spot is not None:
            interruptions.market(cloud).set(options.spot, cloud.clock.now())
        with _bound(options.host, options.port) as listener:
            port = listener.getsockname()[1]
            server = make_server(
                options.host, port, App(cloud), threaded=True, request_handler=RequestHandler, fd=listener.fileno()
            )
        cloud.url = f"http://{options.host}:{port}"
        _stop_on_signals(server)
        print(cloud.url, flush=True)  # the socket listens already, so whoever reads this gets an answer
        server.serve_forever(poll_interval=0.1)
        server.server_close()
    finally:
        cloud.close()
        if options.state is None:
            shutil.rmtree(state, ignore_errors=True)


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket. Bound here because werkzeug, when the port is taken, prints advice of its own and exits."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _stop_on_signals(server: BaseWSGIServer) -> None:
    def stop(number: int, frame: object) -> None:
        # shutdown() waits for the loop that this handler interrupts, so it needs a thread of its own.
        threading.Thread(target=server.shutdown, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def main() -> int:
    options = parse_args()
    if options.coverage:
        from localaws.coverage import page  # loads every model, which a start need not

        print(page())
        return 0
    try:
        serve(options)
    except OSError as error:
        reason = f"port {options.port} is in use" if error.errno == errno.EADDRINUSE else str(error)
        text = f"cannot listen on {options.host}: {reason}; choose another --port, or 0 for a free one"
        print(f"localaws: {text}", file=sys.stderr)
        return EXIT_USAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
