"""A way in to a simulated instrument, for one client at a time."""

from __future__ import annotations

import os

CHUNK = 4096


class Door:
    """What a pseudo-terminal and a TCP port have in common."""

    def __init__(self) -> None:
        self.open = False
        """Whether its client is the one that the instrument listens to."""
        self.fd = -1
        """Where the client's bytes come and go."""
        self._unsent = b""

    def read(self) -> bytes | None:
        """Return what has come, nothing if nothing has, None once the client is gone."""
        try:
            return os.read(self.fd, CHUNK) or None
        except BlockingIOError:
            return b""
        except OSError:  # hung up, or reset
            return None

    def write(self, data: bytes) -> None:
        """Send to the client; without one the bytes are lost, as on a cable."""
        if not self.open:
            self._unsent = b""
            return
        waiting = self._unsent + data
        try:
            sent = os.write(self.fd, waiting)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(waiting)
        # A client that does not read fills the line; what is beyond a generous
        # buffer is lost, again as on a cable.
        self._unsent = waiting[sent:][: 16 * CHUNK]

    def flush(self) -> None:
        """Try again to send what the client had no room for."""
        if self._unsent:
            self.write(b"")

    def nudge(self) -> None:
        """Do what the computer wants done when a client came, spoke or left."""

    def close(self) -> None:
        """Take the way in away."""
        raise NotImplementedError
