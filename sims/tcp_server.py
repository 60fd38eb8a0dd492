"""A TCP port of this computer that stands for a port of an instrument.

For programs that reach instruments by `socket://127.0.0.1:NUMBER`, as a LAN instrument
or a serial device server is reached. No other computer can connect.
"""

from __future__ import annotations

import socket

from sims.door import Door

HOST = "127.0.0.1"
WAITING = 8


class TcpPort(Door):
    """One port; ``number`` 0 has the computer choose a free one.

    Raises
    ------
    OSError
        When the number is not to be had.
    """

    def __init__(self, number: int = 0) -> None:
        super().__init__()
        self.listener = socket.socket()
        try:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((HOST, number))
            self.listener.listen(WAITING)
        except OSError:
            self.listener.close()
            raise
        self.listener.setblocking(False)
        self.number: int = self.listener.getsockname()[1]
        self._client: socket.socket | None = None

    def accept(self) -> socket.socket | None:
        """Return the next client that wants to connect, if one still does."""
        try:
            client, _ = self.listener.accept()
        except OSError:
            return None
        return client

    def let_in(self, client: socket.socket) -> None:
        """Have this be the client."""
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client, self.fd = client, client.fileno()

    def let_go(self) -> None:
        """Close the connection to the client, if there is one."""
        self._unsent = b""
        if self._client is not None:
            self._client.close()
            self._client, self.fd = None, -1

    def close(self) -> None:
        """Hang up, and listen no more."""
        self.let_go()
        self.listener.close()
