r"""Vacuum of a chuck: one relay of a two-channel USB board, LCUS-2 (CH340).

Serial settings: 9600 8N1, no flow control.

======================  ===========================================================
``A0 <ch> <01|00> <sum>``  close or open relay ch; sum is that of the three bytes before
                        it, mod 256: ``A0 01 01 A2`` closes relay 1. Nothing is answered
``FF``                  a line for each relay, ``CH1: ON \r\nCH2: OFF\r\n``
======================  ===========================================================

A relay that is closed opens the vacuum valve. Setting one only sets what it has set, so
it is told again until it is read back. A status that is asked right after a switch may be
an old one, says a published client: so it is asked until it is so.

The interlock: a chuck never spins without vacuum, and vacuum is not released before the
chuck is at rest. It is kept here and in the driver of the chuck, whoever calls them:
`holds` is asked of the board before and during every spin, and a release is refused
unless the chuck says, at that moment and until the relay is open, that it is idle and
stands (`SpinCoater.kept_at_rest`). `stop` leaves the relay as it is: a chuck that coasts
keeps its sample, also after an emergency stop. `prepare` releases, once the chuck stands.

What this board cannot tell: whether there is vacuum. Read back is the relay. A hose that
came off is not seen; wire a vacuum switch to the motor's enable input where that matters.
When the computer's power goes, so does the board's, and the valve closes while the chuck
coasts: use a valve that holds without current, and ``holds_when: opened``.

Unverified on hardware [R]: all of it is from sellers' sheets and published clients. Many
boards do not answer ``FF``; one that does not is refused by `connect`, because nothing
could be read back. The time that a relay takes (10 ms), and that opening the port does
not move the relays.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.errors import BadReply, Fault, LinkTimeout, Rejected, WrongModel
from instruments.framing import within
from instruments.link import Identity, Link
from instruments.signals import Verb

if TYPE_CHECKING:
    from instruments.odrive_spin_coater import SpinCoater

CHANNELS = (1, 2)
ON, OFF = "on", "off"
ANSWERING = 0.3
"""Real seconds for an answer of two lines, which takes 25 ms."""
TIMES = 3
"""Times that a relay is told before it counts as stuck."""
POLL = 0.1
COASTING = 120.0
"""Lab seconds in which a chuck comes to rest by itself."""
END = b"\r\n"
STATE = re.compile(rb"CH(\d): (ON|OFF) *")


@dataclass(frozen=True, slots=True)
class VacuumSettings:
    """What the lab file says of the vacuum.

    Attributes
    ----------
    channel:
        The relay of the valve, 1 or 2.
    holds_when:
        Which state of the relay means vacuum.
    building:
        Time until the vacuum holds after the valve has opened, and until it is gone.
    """

    channel: int = 1
    holds_when: Literal["closed", "opened"] = "closed"
    building: Annotated[float, "s"] = 1.0
    baudrate: int = 9600

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise ValueError(f"channel {self.channel} is not 1 or 2")


class RelayClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def switch(self, channel: int, *, closed: bool) -> None:
        """Close or open a relay; not answered."""
        self.link.tell(switch_frame(channel, closed=closed))

    def closed(self) -> tuple[bool, bool]:
        """Return which relays are closed."""

        def once() -> tuple[bool, bool]:
            lines = self.link.ask_lines(
                b"\xff", lambda line: line.startswith(b"CH2"), end=END
            )
            told = [STATE.fullmatch(line) for line in lines]
            numbers = [int(one[1]) for one in told if one is not None]
            if numbers == [*CHANNELS]:
                one, two = (found is not None and found[2] == b"ON" for found in told)
                return one, two
            raise BadReply(f"{self.link.place}: FF answered {lines!r}")

        return self.link.again(once)


def switch_frame(channel: int, *, closed: bool) -> bytes:
    """Return what closes or opens a relay.

    >>> switch_frame(1, closed=True).hex(" ")
    'a0 01 01 a2'
    """
    body = bytes([0xA0, channel, int(closed)])
    return body + bytes([sum(body) & 0xFF])


class Vacuum(Instrument):
    """Holds what lies on the chuck, and lets it go only when the chuck stands."""

    Settings: ClassVar[type] = VacuumSettings
    settings: VacuumSettings

    suction = Component(Verb, begin="hold_or_release", units="", value=OFF)

    _chuck: SpinCoater | None = None

    def make_link(self, port: str) -> Link:
        return Link(
            port,
            baudrate=self.settings.baudrate,
            timeout=ANSWERING,
            name=self.name,
        )

    @property
    def client(self) -> RelayClient:
        return RelayClient(self.link)

    def meet(self, station: Mapping[str, Instrument]) -> None:
        """Be told of the chuck whose sample this holds."""
        chuck: Any = station.get("spin_coater")
        self._chuck = chuck

    def identify(self) -> Identity:
        within(self.settings.building, 0.0, 60.0, f"{self.name}: building", "s")
        try:
            self.client.closed()
        except (LinkTimeout, BadReply) as error:
            raise WrongModel(
                f"{error}; the lab file promises an LCUS-2 that answers FF: what cannot "
                "be read back holds no sample"
            ) from error
        return Identity("LC Technology", "LCUS-2")

    def set_up(self, cancelled: threading.Event) -> None:
        """Release, as soon as the chuck stands; it may be coasting."""
        if self.holds():
            self._until_rest(cancelled)
            self._switch(OFF, cancelled)
        self.refresh()

    def look(self) -> dict[str, Any]:
        """Return whether the relay says that there is vacuum."""
        return {"suction": ON if self.holds() else OFF}

    def refresh(self) -> None:
        self.suction.keep(ON if self.holds() else OFF)

    def holds(self) -> bool:
        """Whether the board says that it holds; asked now."""
        closed = self.client.closed()[self.settings.channel - 1]
        return closed == (self.settings.holds_when == "closed")

    def hold_or_release(self, wanted: str, *, patient: bool = False) -> DeviceStatus:
        """Switch suction on or off; done when it is read back and has built up.

        Parameters
        ----------
        wanted:
            on or off.
        patient:
            Wait for a chuck that coasts before it is off, instead of refusing.

        Raises
        ------
        Rejected
            If it is to be off and the chuck does not stand.
        """
        if wanted not in (ON, OFF):
            raise Rejected(f"{self.name}: suction {wanted!r} is not {ON} or {OFF}")
        if wanted == OFF and self._chuck is not None and not patient:
            self._chuck.check_at_rest()

        def work(cancelled: threading.Event) -> None:
            if patient:
                self._until_rest(cancelled)
            self._switch(wanted, cancelled)

        allowed = self.settings.building + 5.0 + (COASTING if patient else 0.0)
        return self.begin(work, within=allowed)

    def _switch(self, wanted: str, cancelled: threading.Event) -> None:
        self.go_on(cancelled)
        if wanted == OFF and self._chuck is not None:
            with self._chuck.kept_at_rest():
                self._tell(wanted)
        else:
            self._tell(wanted)
        self.pause(self.settings.building, cancelled)
        self.refresh()
        if self.suction.get() != wanted:
            raise Fault(f"{self.where}: suction was {wanted}, and is so no more")

    def _tell(self, wanted: str) -> None:
        """Switch the relay and read it back."""
        closed = (wanted == ON) == (self.settings.holds_when == "closed")
        for _ in range(TIMES):
            self.client.switch(self.settings.channel, closed=closed)
            for _ in range(TIMES):  # the first status may be an old one
                if self.holds() == (wanted == ON):
                    self.suction.keep(wanted)
                    return
        raise Fault(
            f"{self.where}: relay {self.settings.channel} was told {TIMES} times to be "
            f"{'closed' if closed else 'opened'}, and is not"
        )

    def _until_rest(self, cancelled: threading.Event) -> None:
        deadline = self.deadline(COASTING)
        while self._chuck is not None:
            try:
                self._chuck.check_at_rest()
            except Rejected as moving:
                if self.clock.now() > deadline:
                    raise Fault(f"{moving}, {COASTING:.0f} s long") from moving
            else:
                return
            self.pause(POLL, cancelled)

    def make_safe(self) -> None:
        """Do nothing: a sample that is held stays held, for its chuck may turn."""


DRIVER = Vacuum
