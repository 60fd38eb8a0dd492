"""A pseudo-terminal that a serial client takes for a port.

The server keeps the master only. While no client has the slave open, the master is
hung up: that is how opening and closing are seen (it needs the slave to have been
open once). A pty is always 8N1, and Linux refuses a change of settings in which
nothing but parity or word length would change; so the speed is set back to 50 baud
whenever a client opens, closes or speaks, and the next client always changes something.
"""

from __future__ import annotations

import os
import select
import termios
import tty
from pathlib import Path

from sims.door import Door

OUTPUT_SPEED = 5
INPUT_SPEED = 4


class PtyPort(Door):
    """One port, linked at ``link`` for as long as it is held."""

    def __init__(self, link: Path) -> None:
        super().__init__()
        self.link = link
        self.fd, slave = os.openpty()
        try:
            tty.setraw(slave)
            self.device = os.ttyname(slave)
        finally:
            os.close(slave)
        os.set_blocking(self.fd, False)
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN | select.POLLHUP)
        self.nudge()
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f".{link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.device)
        fresh.replace(link)

    def has_client(self) -> bool:
        """Return whether a client has the port open, or left bytes behind."""
        events = self._poll.poll(0)
        if not events:
            return True
        return bool(events[0][1] & select.POLLIN) or not events[0][1] & select.POLLHUP

    def nudge(self) -> None:
        """Set the speed back, so that any client's settings are a change."""
        settings = termios.tcgetattr(self.fd)
        settings[INPUT_SPEED] = settings[OUTPUT_SPEED] = termios.B50
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)

    def close(self) -> None:
        """Take the port away, its link too if it is still ours."""
        if self.link.is_symlink() and str(self.link.readlink()) == self.device:
            self.link.unlink()
        os.close(self.fd)
