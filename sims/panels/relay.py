r"""Two-channel USB relay board LCUS-2, whose relays open vacuum valves.

9600. ``A0`` channel state sum, not answered; ``FF`` is answered by a line for each channel. A
wrong sum or another byte is ignored. In the bench file ``vacuum: {1: chuck}`` says which
relay holds the sample in which slot; ``tells: false`` makes a board that knows no ``FF``.

Unverified: the pause of a relay, and that what follows an ``A0`` counts from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sims import spec as checks
from sims.panel import Message, Panel
from sims.spec import BadBench

if TYPE_CHECKING:
    from sims.bench import Bench

START, STATUS = 0xA0, 0xFF
LONG = 4
CHANNELS = (1, 2)


class Relay(Panel):
    """The board; without power both relays are open."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        where = f"instruments.{name}"
        self.tells = settings.get("tells", True) is not False
        self.slots: dict[int, str] = {}
        held: dict[Any, Any] = dict(settings.get("vacuum", {}))
        for channel, slot in held.items():
            if channel not in CHANNELS:
                raise BadBench(f"{where}.vacuum.{channel}: relays are 1 and 2")
            self.slots[channel] = checks.text(slot, f"{where}.vacuum.{channel}")
        self.states = dict.fromkeys(CHANNELS, False)
        self._bytes = b""
        self._stuck = False
        for slot in self.slots.values():
            bench.world.suck(slot, False, name)

    def receive(self, data: bytes) -> None:
        messages, self._bytes = self.cut(self._bytes + data)
        for message in messages:
            self._obey(message.data)

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        messages = []
        while data and (data[0] != START or len(data) >= LONG):
            whole = LONG if data[0] == START else 1
            text = {STATUS: "status", START: data[1:3].hex()}.get(data[0], "")
            messages.append(Message(data[:whole], text))
            data = data[whole:]
        return messages, data

    def _obey(self, message: bytes) -> None:
        if message[0] == STATUS and self.tells:
            self.say(
                b"".join(
                    b"CH%d: %s\r\n" % (one, b"ON " if closed else b"OFF")
                    for one, closed in self.states.items()
                )
            )
        elif message[0] == START and sum(message[:3]) & 0xFF == message[3]:
            self._switch(message[1], message[2] == 1)

    def _switch(self, channel: int, closed: bool) -> None:
        if channel not in self.states or self._stuck or self.states[channel] == closed:
            return
        self.states[channel] = closed
        self.note("closed" if closed else "opened", relay=channel)
        if channel in self.slots:
            self.bench.world.suck(self.slots[channel], closed, self.name)

    # -- faults -----------------------------------------------------------------------

    def hang(self, data: bytes) -> None:
        """Have both relays stick where they are, until power is cut."""
        self._stuck = True
        self.receive(data)

    def refuse(self, data: bytes) -> None:
        """Take no note: that is how it refuses."""

    def break_down(self, data: bytes) -> None:
        """Lose the coils' supply: both relays open, and stay so."""
        self.receive(data)
        for channel in CHANNELS:
            self._switch(channel, closed=False)
        self._stuck = True
        self.note("no coil supply")

    def lose_power(self) -> None:
        self._stuck = False
        for channel in CHANNELS:
            self._switch(channel, closed=False)
        self._bytes = b""
        self.note("power lost")


PANEL = Relay
