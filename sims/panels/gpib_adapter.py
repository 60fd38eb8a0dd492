r"""GPIB-to-serial adapter with one or more instruments on its bus.

From the user manual of the Prologix GPIB-USB controller 6.107. Lines end in CR or LF.
``++`` begins a command of the adapter; anything else goes to the instrument at the
present address, with what `++eos` says behind it. ESC before CR, LF, ESC or + takes its
meaning away. `++read` has the instrument talk: until EOI, until a character, or until
nothing came for `++read_tmo_ms`; meanwhile the adapter hears nothing. One that is asked
to talk without a question complains (-420), one that is asked anew before its answer was
fetched as well, and the answer is lost (-410).

Left out: device mode, secondary addresses, listen-only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sims.gpib_bus import HIGHEST, bus, cut_escaped, plain
from sims.panel import Message, Panel
from sims.scpi_panel import ScpiPanel

if TYPE_CHECKING:
    from sims.bench import Bench

VERSION = "Prologix GPIB-USB Controller version 6.107"
USB = 1e7
"""Bits per second; the baud rate that a client sets has no effect."""
ENDS = (b"\r\n", b"\r", b"\n", b"")
"""What `++eos` puts behind a message."""
AVAILABLE = 16
"""Bit of the status byte: an answer waits."""
BOOT = 5.0
"""Bench seconds of `++rst`."""
LONGEST = 4096
NUMBERS: Mapping[str, tuple[int, int, int]] = {
    "auto": (1, 0, 1),
    "eoi": (1, 0, 1),
    "eos": (0, 0, 3),
    "eot_enable": (0, 0, 1),
    "eot_char": (0, 0, 255),
    "lon": (0, 0, 1),
    "mode": (1, 0, 1),
    "read_tmo_ms": (200, 1, 3000),
    "savecfg": (1, 0, 1),
    "status": (0, 0, 255),
}
"""Settings: default, least and most."""


class GpibAdapter(Panel):
    """An adapter; setting ``instruments``: address to name of another instrument."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.baud = USB
        self._bus = bus(bench.spec, settings.get("instruments"), f"instruments.{name}")
        self._waiting: dict[int, bytes] = {}
        self._bytes = b""
        self._lines: deque[bytes] = deque()
        self._talking: Callable[[], None] | None = None
        self._until: bytes | None = None
        self._hung = self._dead = False
        self._default()
        for address, held in self._bus.items():
            bench.wired[held] = partial(self._said, address)

    def _default(self) -> None:
        self.values = {key: default for key, (default, _, _) in NUMBERS.items()}
        self.address = min(self._bus, default=0)

    # -- the wire ------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        if self._hung:
            return
        lines, self._bytes = cut_escaped(self._bytes + data)
        self._bytes = self._bytes[-LONGEST:]
        for line in lines:
            if line:
                self._lines.append(line)
                self.asked += 1
        self._go_on()

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        """Have each line be a message."""
        lines, rest = cut_escaped(data)
        return [Message(b + b"\n", b.decode("latin-1")) for b in lines], rest

    def _go_on(self) -> None:
        while self._lines and self._talking is None:
            line = self._lines.popleft()
            if line.startswith(b"++"):
                self._command(line.decode("latin-1"))
            else:
                self._send(line)
            if self._talking is None:
                self.answered += 1

    def _answer(self, text: object) -> None:
        self.say(f"{text}\r\n".encode("latin-1"))

    # -- commands of its own -------------------------------------------------------

    def _command(self, line: str) -> None:
        word, *given = line[2:].split()
        key = word.lower()
        if key in NUMBERS:
            self._set(key, given)
            return
        actions: dict[str, Callable[[list[str]], None]] = {
            "addr": self._choose_address,
            "clr": self._clear,
            "help": lambda _: self._answer("++addr ++auto ++clr ++read ++ver"),
            "ifc": lambda _: None,
            "llo": lambda _: None,
            "loc": lambda _: None,
            "read": self._read,
            "rst": self._reboot,
            "spoll": self._poll,
            "srq": lambda _: self._answer(int(any(map(self._requests, self._bus)))),
            "trg": lambda _: self._send(b"*TRG"),
            "ver": lambda _: self._answer(VERSION),
        }
        if key in actions:
            actions[key](given)
        else:
            self._answer("Unrecognized command")

    def _set(self, key: str, given: list[str]) -> None:
        _, least, most = NUMBERS[key]
        if not given:
            self._answer(self.values[key])
        elif given[0].isdecimal() and least <= int(given[0]) <= most:
            self.values[key] = int(given[0])

    def _choose_address(self, given: list[str]) -> None:
        if not given:
            self._answer(self.address)
        elif given[0].isdecimal() and int(given[0]) <= HIGHEST:
            self.address = int(given[0])

    def _poll(self, given: list[str]) -> None:
        at = int(given[0]) if given and given[0].isdecimal() else self.address
        if at in self._bus:
            byte = self._held(at).status_byte()
            self._answer(byte | (AVAILABLE if self._waiting.get(at) else 0))

    def _requests(self, address: int) -> bool:
        return bool(self._held(address).status_byte() & 64)

    def _clear(self, _: list[str]) -> None:
        """Have the instrument forget what it was doing for us: Selected Device Clear."""
        if self.address in self._bus:
            self._waiting.pop(self.address, None)
            self._held(self.address).device_clear()

    def _reboot(self, _: list[str]) -> None:
        self._default()
        self._lines.clear()
        self._wait(BOOT, lambda: None)

    # -- the bus -------------------------------------------------------------------

    def _held(self, address: int) -> ScpiPanel:
        panel = self.bench.instruments[self._bus[address]]
        assert isinstance(panel, ScpiPanel)  # noqa: S101 - `bus` has seen to it
        return panel

    def _send(self, message: bytes) -> None:
        """Send a message to the instrument; nobody hears it at an empty address."""
        at = self.address
        if at in self._bus and not self._dead:
            if self._waiting.pop(at, b""):
                self._held(at).errors.put(-410)
            end = ENDS[self.values["eos"]]
            if not end and self.values["eoi"]:
                end = b"\n"  # the line EOI tells where it ends
            self.bench.take(self._bus[at], plain(message) + end)
        if self.values["auto"]:
            self._read(["eoi"])

    def _said(self, address: int, data: bytes) -> None:
        """Take what an instrument says; it goes on when it is asked to talk."""
        self._waiting[address] = self._waiting.get(address, b"") + data
        if address == self.address:
            self._hand_over()

    def _read(self, given: list[str]) -> None:
        """Have the instrument talk."""
        word = given[0] if given else ""
        self._until = b"\n" if word == "eoi" else None
        if word.isdecimal() and int(word) < 256:
            self._until = bytes([int(word)])
        self._wait(self.values["read_tmo_ms"] / 1e3, self._found_silent)
        self.later(0.0, self._hand_over)

    def _wait(self, seconds: float, silent: Callable[[], None]) -> None:
        def over() -> None:
            if self._talking is over:
                self._talking = None
                silent()
                self.answered += 1
                self._go_on()

        self._talking = over
        self.later(seconds, over)

    def _found_silent(self) -> None:
        """Let an instrument complain that was asked to talk and had nothing to say."""
        if self.address in self._bus and self._until is not None:
            held = self._held(self.address)
            if held.asked == held.answered:
                held.errors.put(-420)

    def _hand_over(self) -> None:
        """Pass on what the instrument has said so far, and end where it ended."""
        if self._talking is None:
            return
        said = self._waiting.pop(self.address, b"")
        if not said:
            return
        if self._until is None or self._until not in said:
            self.say(said)
            self._wait(self.values["read_tmo_ms"] / 1e3, lambda: None)
            return
        end = said.index(self._until) + 1
        if said[end:]:
            self._waiting[self.address] = said[end:]
        more = bytes([self.values["eot_char"]]) if self.values["eot_enable"] else b""
        self.say(said[:end] + more)
        self._talking = None
        self.answered += 1
        self._go_on()

    # -- faults --------------------------------------------------------------------

    def hang(self, data: bytes) -> None:
        """Hear nothing any more until its power is cut."""
        self._hung = True

    def refuse(self, data: bytes) -> None:
        self._answer("Unrecognized command")

    def break_down(self, data: bytes) -> None:
        """Reach no instrument any more, as with the cable of the bus pulled."""
        self._dead = True
        self._waiting.clear()
        self.receive(data)

    def lose_power(self) -> None:
        self._hung = self._dead = False
        self._talking, self._bytes = None, b""
        self._lines.clear()
        self._waiting.clear()
        self.answered = self.asked
        self._default()
        self.note("power lost")


PANEL = GpibAdapter
