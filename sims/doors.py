"""All the ways in to a bench: to each instrument a pseudo-terminal and a TCP port.

An instrument listens to one client at a time, whichever door it came by. Another one
at the TCP port is hung up on; what another one says at the pseudo-terminal is lost, for
nobody can be kept from opening it.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sims import spec as checks
from sims.door import Door
from sims.pty_server import PtyPort
from sims.spec import BadBench
from sims.tcp_server import HOST, TcpPort

if TYPE_CHECKING:
    from sims.bench import Bench

LISTEN = 0.005
"""Real seconds between two looks at a port that no client has open."""
AGAIN = 1.0
"""Bench seconds until a TCP port that somebody else has taken is asked for again."""
MOST = 65535


class Doors:
    """The doors of one bench, and who is inside.

    Parameters
    ----------
    bench:
        Whose instruments they lead to.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.ptys: dict[str, PtyPort] = {}
        self.tcps: dict[str, TcpPort] = {}
        self._inside: dict[str, Door] = {}
        self._numbers: dict[str, int] = {}
        # select(2) waits to the microsecond; epoll rounds up to a millisecond.
        self._selector = selectors.SelectSelector()
        self._listen_at = 0.0

    def start(self) -> None:
        """Make the doors of all instruments.

        Raises
        ------
        BadBench
            When a TCP port is not to be had.
        """
        for name, panel in self.bench.instruments.items():
            where = f"instruments.{name}.tcp"
            number = tcp_number(panel.settings, where)
            if number is not None:
                self._numbers[name] = number
            try:
                self._plug(name)
            except OSError as problem:
                raise BadBench(f"{where}: {number} — {problem.strerror}") from problem

    def urls(self, name: str) -> list[str]:
        """Return where an instrument can be reached."""
        found = [str(self.ptys[name].link)] if name in self.ptys else []
        if name in self.tcps:
            found.append(f"socket://{HOST}:{self.tcps[name].number}")
        return found

    def unplug(self, name: str, seconds: float) -> None:
        """Take an instrument's doors away for some bench seconds."""
        if name not in self.ptys and name not in self.tcps:
            return
        if name in self._inside:
            self._let_out(name)
        if (pty := self.ptys.pop(name, None)) is not None:
            pty.close()
        if (tcp := self.tcps.pop(name, None)) is not None:
            self._selector.unregister(tcp.listener)
            tcp.close()
        self.bench.instruments[name].closed()
        self.bench.later(seconds, lambda: self._plug_again(name))

    def look(self) -> float | None:
        """Look for clients at pseudo-terminals, if it is time.

        Returns the real moment of the next look; None when none is needed.
        """
        quiet = [
            name for name, pty in self.ptys.items() if self._inside.get(name) is not pty
        ]
        if not quiet:
            return None
        now = time.monotonic()
        if now >= self._listen_at:
            self._listen_at = now + LISTEN
            for name in quiet:
                pty = self.ptys[name]
                if not pty.has_client():  # it may have come and gone without a word
                    pty.nudge()
                elif name in self._inside:
                    pty.read()
                else:
                    self._let_in(name, pty)
        return self._listen_at

    def serve(self, wait: float) -> None:
        """Wait at most so many real seconds for what clients say, and take it."""
        if not self._selector.get_map():
            time.sleep(wait)
            return
        for key, _ in self._selector.select(wait):
            self.bench.run_due()
            key.data()
        for door in self._inside.values():
            door.flush()

    def send(self, name: str, data: bytes) -> None:
        """Send bytes to an instrument's client; without one they are lost."""
        if name in self._inside:
            self._inside[name].write(data)

    def close(self) -> None:
        """Take all doors away."""
        self._selector.close()
        for door in (*self.ptys.values(), *self.tcps.values()):
            door.close()
        self.ptys, self.tcps, self._inside = {}, {}, {}

    def _plug(self, name: str) -> None:
        port = self.bench.instruments[name].settings.get("port")
        if name in self._numbers:
            tcp = self.tcps[name] = TcpPort(self._numbers[name])
            self._numbers[name] = tcp.number
            knock = partial(self._knock, name)
            self._selector.register(tcp.listener, selectors.EVENT_READ, knock)
        if port is not None:
            link = self.bench.directory / checks.text(port, f"instruments.{name}.port")
            self.ptys[name] = PtyPort(link)

    def _plug_again(self, name: str) -> None:
        try:
            self._plug(name)
        except OSError:  # somebody took the number meanwhile
            self.bench.later(AGAIN, lambda: self._plug_again(name))

    def _knock(self, name: str) -> None:
        """Let a client of a TCP port in, if nobody is inside any more."""
        tcp = self.tcps.get(name)
        client = tcp.accept() if tcp is not None else None
        if tcp is None or client is None:
            return
        while name in self._inside and self._receive(name):
            pass
        if name in self._inside:
            client.close()
            return
        tcp.let_in(client)
        self._let_in(name, tcp)

    def _let_in(self, name: str, door: Door) -> None:
        door.open = True
        door.nudge()
        self._inside[name] = door
        receive = partial(self._receive, name)
        self._selector.register(door.fd, selectors.EVENT_READ, receive)
        self.bench.cables[name].opened()

    def _let_out(self, name: str) -> None:
        door = self._inside.pop(name)
        self._selector.unregister(door.fd)
        door.open = False
        door.nudge()
        if isinstance(door, TcpPort):
            door.let_go()

    def _receive(self, name: str) -> bool:
        """Take bytes of the client, or note that it is gone; return whether some came."""
        door = self._inside.get(name)
        if door is None:  # unplugged a moment ago
            return False
        data = door.read()
        if data is None:
            self._let_out(name)
            self.bench.cables[name].closed()
        elif data:
            door.nudge()
            self.bench.take(name, data)
        return bool(data)


def tcp_number(settings: Mapping[str, Any], where: str) -> int | None:
    """Return the TCP port that a bench file asks for: 0 for any, None for none."""
    if "tcp" not in settings:
        return 0 if "port" in settings else None
    number = settings["tcp"]
    if isinstance(number, bool) or not isinstance(number, int):
        raise BadBench(f"{where}: expected a whole number, got {number!r}")
    if not 1 <= number <= MOST:
        raise BadBench(f"{where}: {number} is not 1 to {MOST}")
    return number
