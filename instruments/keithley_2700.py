r"""Switch matrix: Keithley 2700 with a 7709 card of 6 rows and 8 columns, SCPI.

Serial settings: factory 4800 baud, 8N1, terminator ``\n``; set on the front panel.

================================  =====================  ==============================
``*IDN?``, ``*OPT?``              ``7709,NONE``          who is there; card in each slot
``:ROUT:OPEN:ALL``                no answer              opens every relay
``:ROUT:MULT:CLOS (@101,110)``    no answer              closes these; leaves the others
``:ROUT:MULT:CLOS?``              ``(@101,110)``         what is closed; ``(@)`` nothing
``*OPC?``                         ``1``                  once the relays are at rest
``:SYST:ERR?``                    ``0,"No error"``       takes one error from the queue
================================  =====================  ==============================

Channel = 100 · slot + 8 · (row - 1) + column. Closing adds to what is closed, so that a
configuration is chosen by opening all first; only then do relays break before they make.
Not ``:ROUT:CLOS``: it is the system-channel mode of the meter and closes relay 50 too.

Wiring: rows 1 to 4 are force HI, force LO, sense HI and sense LO of the source-meter;
columns 1 to 4 are the contacts of the film in order along its edge. R12,43 drives the
current from contact 1 to 2 and reads the voltage of 4 against 3.

The relays latch: they stay as they are when the power or the computer goes, so all are
opened at the start and at the end. They must not switch under current; the plan sees to
that, since this instrument knows nothing of the source.

Safe state: everything open.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.errors import Fault, Rejected, WrongModel
from instruments.framing import within
from instruments.link import Identity, Link
from instruments.scpi import Scpi, scpi_link
from instruments.signals import Verb

CARD = "7709"
COLUMNS = 8
SLOTS = 2
OPEN = "open"
CONFIGURATIONS = ("R12,43", "R23,14", "R34,21", "R41,32")


def channels(configuration: str, slot: int) -> tuple[int, ...]:
    """Return the channels that a configuration closes.

    Examples
    --------
    >>> channels("R12,43", 1)
    (101, 110, 120, 127)
    >>> channels("open", 1)
    ()
    """
    columns = [int(letter) for letter in configuration if letter.isdigit()]
    return tuple(
        100 * slot + COLUMNS * row + column for row, column in enumerate(columns)
    )


@dataclass(frozen=True, slots=True)
class SwitchMatrixSettings:
    """What the lab file says of a switch matrix.

    Attributes
    ----------
    card_slot:
        Slot of the matrix card, from 1.
    """

    card_slot: int = 1
    baudrate: int = 4800
    model: str = "MODEL 2700"


class Keithley2700Client:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.scpi = Scpi(link)

    def identity(self, model: str) -> Identity:
        return self.scpi.identity(model)

    def cards(self) -> list[str]:
        """Return the card in each slot."""
        _, answer = self.scpi.says("*OPT?", lambda told: told.count(",") == SLOTS - 1)
        return [word.strip() for word in answer.split(",")]

    def forget_errors(self) -> None:
        self.scpi.tell("*CLS")

    def open_all(self, *, urgent: bool = False) -> None:
        self.scpi.tell(":ROUT:OPEN:ALL", urgent=urgent)

    def close(self, chosen: Sequence[int]) -> None:
        """Close channels beside those that are closed."""
        self.scpi.tell(f":ROUT:MULT:CLOS {channel_list(chosen)}")

    def wait(self) -> None:
        """Return when the relays are at rest."""
        self.scpi.number("*OPC?")

    def closed(self, expected: Sequence[int] = ()) -> str:
        """Return the list of what is closed, as the instrument writes it."""
        wanted = channel_list(expected)
        question = ":ROUT:MULT:CLOS?"
        _, answer = self.scpi.says(question, lambda told: tidy(told) == wanted)
        return tidy(answer)


def tidy(answer: str) -> str:
    """Return a list of channels without its blanks."""
    return answer.replace(" ", "")


def channel_list(chosen: Sequence[int]) -> str:
    """Return channels as SCPI writes them."""
    return f"(@{','.join(str(one) for one in sorted(chosen))})"


class SwitchMatrix(Instrument):
    """Connects the source-meter to the contacts of a film, one configuration at a time."""

    Settings: ClassVar[type] = SwitchMatrixSettings
    settings: SwitchMatrixSettings

    configuration = Component(Verb, begin="choose", units="", value=OPEN)

    def make_link(self, port: str) -> Link:
        return scpi_link(port, self.settings.baudrate, self.name)

    @property
    def client(self) -> Keithley2700Client:
        return Keithley2700Client(self.link)

    def identify(self) -> Identity:
        slot = self.settings.card_slot
        within(slot, 1, SLOTS, f"{self.name}: card_slot", "")
        identity = self.client.identity(self.settings.model)
        cards = self.client.cards()
        if cards[slot - 1 : slot] != [CARD]:
            raise WrongModel(
                f"{self.where}: '*OPT?' answered {','.join(cards)!r}; the lab file "
                f"promises a {CARD} in slot {slot}"
            )
        return identity

    def set_up(self, cancelled: threading.Event) -> None:
        """Open every relay: they stay as they were through a power cut."""
        client = self.client
        client.forget_errors()
        self._connect(OPEN, cancelled)
        client.scpi.check(":ROUT:OPEN:ALL")

    def look(self) -> dict[str, Any]:
        """Return the configuration that is made, or the channels that are closed."""
        closed = self.client.closed()
        slot = self.settings.card_slot
        made = {channel_list(channels(one, slot)): one for one in CONFIGURATIONS}
        made[channel_list(())] = OPEN
        return {"configuration": made.get(closed, closed)}

    def choose(self, configuration: str) -> DeviceStatus:
        """Make a configuration, or ``open``; done when the relays are at rest."""
        if configuration not in (*CONFIGURATIONS, OPEN):
            raise Rejected(
                f"{self.name}: configuration {configuration!r} is none of "
                f"{', '.join((*CONFIGURATIONS, OPEN))}"
            )

        def work(cancelled: threading.Event) -> None:
            self.pause(0.0, cancelled)
            self._connect(configuration, cancelled)
            if cancelled.is_set():  # stopped between opening and closing: open again
                self.make_safe()
            self.pause(0.0, cancelled)

        return self.begin(work, within=2.0)

    def refresh(self) -> None:
        """Nothing to ask: a configuration is kept when the relays have confirmed it."""

    def _connect(self, configuration: str, cancelled: threading.Event) -> None:
        """Open all, close, and see; once more, all open first, if it was not heard."""
        client = self.client
        wanted = channels(configuration, self.settings.card_slot)
        for _ in range(2):
            self.go_on(cancelled)
            client.open_all()
            if wanted:
                client.close(wanted)
            client.wait()
            closed = client.closed(wanted)
            if closed == channel_list(wanted):
                break
            client.scpi.check(f":ROUT:MULT:CLOS {channel_list(wanted)}")
        else:
            raise Fault(
                f"{self.where}: {closed} is closed, not {channel_list(wanted)} "
                f"as {configuration} needs"
            )
        self.configuration.keep(configuration)

    def make_safe(self) -> None:
        """Open every relay."""
        self.client.open_all(urgent=True)


DRIVER = SwitchMatrix
