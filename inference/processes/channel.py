"""One end of a socket pair between two of the server's processes: single bytes, some of them with a file."""

import socket
from collections.abc import Iterator

MAX_AT_ONCE = 64


class Channel:
    """Sends and receives without waiting, so that one process that hangs does not stop another."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        end.setblocking(False)

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """This process's end, and the other's."""
        mine, theirs = socket.socketpair()
        return cls(mine), theirs

    def fileno(self) -> int:
        """For the event loop."""
        return self._socket.fileno()

    def send(self, message: bytes, file: int | None = None) -> bool:
        """Send; False where the other end is gone or does not read."""
        try:
            if file is None:
                self._socket.send(message)
            else:
                socket.send_fds(self._socket, [message], [file])
        except OSError:  # full (BlockingIOError), or closed
            return False
        return True

    def receive(self) -> Iterator[tuple[int, int | None]]:
        """What has come, each byte with its file; raises EOFError once the other end is gone."""
        try:
            data, files, _, _ = socket.recv_fds(self._socket, MAX_AT_ONCE, MAX_AT_ONCE)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data, files = b"", []
        if not data:
            raise EOFError
        # A message with a file ends what one call receives, so files belong to the last bytes.
        without = len(data) - len(files)
        yield from ((byte, None) for byte in data[:without])
        yield from zip(data[without:], files, strict=True)

    def close(self) -> None:
        """The other end sees its end."""
        self._socket.close()
