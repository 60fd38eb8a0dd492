r"""New Era NE-1000 (WPI Aladdin) syringe pump, basic and safe mode.

19200 8N1. Basic: ``[address]command\r`` answered ``\x02`` address, prompt, data ``\x03``. Safe
mode frames: ``\x02`` length data CRC-CCITT ``\x03``, length = data + 4. An alarm is the answer to
the next command, which is not executed.

Unverified, chosen here: a pump in safe mode is deaf to basic commands, and one in basic
mode takes safe frames and answers them as basic; ``STP`` at rest is no error; a new
diameter clears the volumes; a whole number is told as ``0050.``, others in four digits; in
safe mode the clock of the watchdog also runs at rest.
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from sims import spec as checks
from sims.faults import KINDS
from sims.models.syringe_drive import SyringeDrive
from sims.panel import Message, Panel
from sims.spec import BadBench

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

STX, ETX = 0x02, 0x03
DIAMETER = 26.59
"""mm, of the 60 mL syringe that it is delivered with."""
NARROWEST, WIDEST = 0.1, 50.0
SMALL = 14.0
"""Diameter, mm, up to which volumes are in uL."""
SLOWEST = 0.004205 / 3600.0
FASTEST = 5.1005 / 60.0
"""Of the plunger, cm/s."""
RATES = {"UM": 1 / 60.0, "MM": 1000 / 60.0, "UH": 1 / 3600.0, "MH": 1000 / 3600.0}
VOLUMES = {"UL": 1.0, "ML": 1000.0}
NUMBER = re.compile(r"(?=[\d.]{1,5}$)\d{0,4}(\.\d{0,3})?")
DIGITS = 4
LONGEST_SILENCE = 255
ADDRESSES = 100
PATIENCE = 0.5
"""Seconds without a byte after which an unfinished message is forgotten. [R]"""


class Refusal(Exception):
    """What stands behind ``?`` in the data of an answer."""


class NewEra(Panel):
    """A pump with one syringe, over a slot or in a vessel."""

    baud = 19200.0
    kinds: ClassVar[frozenset[str]] = frozenset(KINDS)

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        where = f"instruments.{name}"
        capacity = checks.number(settings.get("syringe"), f"{where}.syringe", 1.0)
        contents = checks.mapping(settings.get("contents", {}), f"{where}.contents")
        target = checks.text(settings.get("target"), f"{where}.target")
        number = checks.number(settings.get("address", 0), f"{where}.address", 0)
        if number >= ADDRESSES:
            raise BadBench(f"{where}.address: {number:g} is above {ADDRESSES - 1}")
        self.address = int(number)
        self.drive = SyringeDrive(
            bench,
            name,
            capacity,
            {one: checks.number(v, f"{where}.contents") for one, v in contents.items()},
            target,
            lambda: self._alarm("S"),
        )
        self._dog: Timer | None = None
        self._power_up()

    def _power_up(self) -> None:
        self.diameter, self.unit = DIAMETER, "ML"
        self.rate, self.rate_unit = 1.0, "MM"
        self.volume = 0.0
        self.infusing = True
        self.prompt, self.alarm = "S", "R"
        self.left = 0.0
        self.silence = 0
        self.drive.infused = self.drive.withdrawn = 0.0
        self._bytes = b""
        self._came = self.now
        self._feed()

    # -- frames -----------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        messages = []
        while (whole := first(data)) is not None:
            message, data = whole
            messages.append(Message(message, self._mine(message) or ""))
        return messages, data

    def _mine(self, message: bytes) -> str | None:
        """Return the command in a message, or None if it is not to this pump."""
        address, command = inside(message)
        return command if address == self.address else None

    def with_wrong_checksum(self, data: bytes) -> bytes | None:
        if data[:1] != bytes([STX]) or len(data) < 2 or data[1] != len(data) - 1:
            return None
        return data[:-2] + bytes([data[-2] ^ 0x55]) + data[-1:]

    def receive(self, data: bytes) -> None:
        self._bytes += data
        self._came = self.now
        self.later(PATIENCE, self._give_up)
        while (whole := first(self._bytes)) is not None:
            message, self._bytes = whole
            framed = message[0] == STX
            if framed or not self.silence:
                self._hear(message, framed=framed)

    def _give_up(self) -> None:
        """Forget a message whose end does not come."""
        if self.now - self._came >= PATIENCE:
            self._bytes = b""

    def _hear(self, message: bytes, *, framed: bool) -> None:
        if framed and not checked(message):
            self._answer("?COM")
            return
        command = self._mine(message)
        if command is None:
            return
        self._feed()
        if self.alarm:
            alarm, self.alarm = self.alarm, ""
            self._answer(f"?{alarm}", prompt="A")
            return
        try:
            told = self._obey(command)
        except Refusal as refusal:
            told = f"?{refusal}"
        self._answer(told)

    def _answer(self, told: str, prompt: str = "") -> None:
        body = f"{self.address:02d}{prompt or self.prompt}{told}".encode("ascii")
        if self.silence:
            check = binascii.crc_hqx(body, 0).to_bytes(2, "big")
            self.say(bytes([STX, len(body) + 4]) + body + check + bytes([ETX]))
        else:
            self.say(bytes([STX]) + body + bytes([ETX]))

    # -- faults -----------------------------------------------------------------------

    def hang(self, data: bytes) -> None:
        """Never come to the end of its volume: only a stop ends it."""
        self.receive(data)
        self.drive.run_on()

    def refuse(self, data: bytes) -> None:
        self._feed()
        self._answer("?NA")

    def break_down(self, data: bytes) -> None:
        """Stall, as with a clogged needle."""
        self.receive(data)
        self.drive.stop()
        self._alarm("S")
        self.note("stalled")

    def lose_power(self) -> None:
        self.drive.stop()
        self._power_up()
        self.note("power lost")

    def matter(self) -> Any:
        return dict(self.drive.contents)

    def place_matter(self, matter: Any) -> None:
        self.drive.contents = dict(matter)

    def _alarm(self, letter: str) -> None:
        self.prompt, self.alarm = "S", letter

    def _feed(self) -> None:
        """Begin to count the silence of safe mode anew."""
        if self._dog is not None:
            self._dog.cancel()
            self._dog = None
        if self.silence:
            self._dog = self.later(float(self.silence), self._bite)

    def _bite(self) -> None:
        self._dog = None
        self.left = max(self.left - self.drive.stop(), 0.0)
        self._alarm("T")
        self.note("watchdog")

    # -- commands ---------------------------------------------------------------------

    def _obey(self, text: str) -> str:
        """Do one command; return the data of its answer."""
        if not text:
            return ""
        name, operand = text[:3], text[3:]
        orders: Mapping[str, Callable[[str], str]] = {
            "VER": lambda _: "NE1000V3.928",
            "DIA": self._diameter,
            "RAT": self._rate,
            "VOL": self._volume,
            "DIR": self._direction,
            "RUN": self._run,
            "PUR": self._purge,
            "STP": self._stop,
            "DIS": self._dispensed,
            "CLD": self._clear,
            "SAF": self._safe,
        }
        if name not in orders:
            raise Refusal
        return orders[name](operand)

    def _at_rest(self) -> None:
        if self.drive.moving:
            raise Refusal("NA")

    def _diameter(self, operand: str) -> str:
        if not operand:
            return shown(self.diameter)
        self._at_rest()
        value = number(operand)
        if not NARROWEST <= value <= WIDEST:
            raise Refusal("OOR")
        self.diameter = value
        self.unit = "UL" if value <= SMALL else "ML"
        self.drive.infused = self.drive.withdrawn = 0.0
        return ""

    def _rate(self, operand: str) -> str:
        if not operand:
            return shown(self.rate) + self.rate_unit
        value, unit = number(operand[:-2]), operand[-2:]
        if unit not in RATES:
            raise Refusal
        area = math.pi / 4.0 * (self.diameter / 10.0) ** 2
        plunger = value * RATES[unit] / 1000.0 / area
        if not SLOWEST <= plunger <= FASTEST:
            raise Refusal("OOR")
        self.rate, self.rate_unit = value, unit
        if self.drive.moving:
            self.left = max(self.left - self.drive.stop(), 0.0)
            self._go()
        return ""

    def _volume(self, operand: str) -> str:
        if not operand:
            return shown(self.volume) + self.unit
        self._at_rest()
        if operand in VOLUMES:
            self.unit = operand
        else:
            self.volume = number(operand)
        return ""

    def _direction(self, operand: str) -> str:
        if not operand:
            return "INF" if self.infusing else "WDR"
        self._at_rest()
        if operand not in ("INF", "WDR"):
            raise Refusal
        self.infusing = operand == "INF"
        return ""

    def _run(self, operand: str) -> str:
        self._at_rest()
        if operand:
            raise Refusal
        if self.prompt != "P":
            self.left = self.volume * VOLUMES[self.unit]
        self._go()
        return ""

    def _go(self) -> None:
        rate = self.rate * RATES[self.rate_unit]
        self.prompt = "I" if self.infusing else "W"
        self.note("running", rate=round(rate, 4), volume=round(self.left, 3))
        self.drive.move(rate if self.infusing else -rate, self.left, self._done)

    def _done(self) -> None:
        self.prompt, self.left = "S", 0.0

    def _purge(self, operand: str) -> str:
        self._at_rest()
        area = math.pi / 4.0 * (self.diameter / 10.0) ** 2
        top = FASTEST * area * 1000.0
        self.prompt, self.left = "X", 0.0
        self.drive.move(top if self.infusing else -top, 0.0, self._done)
        return ""

    def _stop(self, operand: str) -> str:
        if self.drive.moving:
            purging = self.prompt == "X"
            moved = self.drive.stop()
            self.left = max(self.left - moved, 0.0)
            self.prompt = "S" if purging else "P"
            self.note("paused", left=round(self.left, 3))
        else:
            self._done()
        return ""

    def _dispensed(self, operand: str) -> str:
        if operand:
            raise Refusal
        per = VOLUMES[self.unit]
        out, back = (counted(one / per) for one in self.drive.told())
        return f"I{out}W{back}{self.unit}"

    def _clear(self, operand: str) -> str:
        self._at_rest()
        if operand == "INF":
            self.drive.infused = 0.0
        elif operand == "WDR":
            self.drive.withdrawn = 0.0
        else:
            raise Refusal
        return ""

    def _safe(self, operand: str) -> str:
        if not operand:
            return str(self.silence)
        if not operand.isdecimal():
            raise Refusal
        if int(operand) > LONGEST_SILENCE:
            raise Refusal("OOR")
        self.silence = int(operand)
        self._feed()
        return ""


def first(data: bytes) -> tuple[bytes, bytes] | None:
    r"""Return the first whole message and what is behind it, or None.

    >>> first(b"0VER\r0")
    (b'0VER\r', b'0')
    >>> first(bytes.fromhex("02 09 30 53 41 46 30 59 AD"))
    """
    if not data:
        return None
    if data[0] == STX:
        whole = data[1] + 1 if len(data) > 1 else 2
        return (data[:whole], data[whole:]) if 1 < whole <= len(data) else None
    end = data.find(b"\r")
    begin = data.find(STX)
    if 0 <= begin < end or (end < 0 <= begin):  # noise before a frame
        return first(data[begin:])
    return (data[: end + 1], data[end + 1 :]) if end >= 0 else None


def checked(frame: bytes) -> bool:
    """Whether a safe mode frame is whole."""
    body, check = frame[2:-3], frame[-3:-1]
    right = binascii.crc_hqx(body, 0).to_bytes(2, "big")
    return len(frame) > DIGITS and frame[-1] == ETX and check == right


def inside(message: bytes) -> tuple[int, str]:
    r"""Return address and command of a message.

    >>> inside(b"12RAT6000UM\r"), inside(b"\r")
    ((12, 'RAT6000UM'), (0, ''))
    """
    body = message[2:-3] if message[0] == STX else message[:-1]
    text = body.decode("latin-1").strip().upper()
    digits = re.match(r"[0-9]{0,2}", text)
    assert digits is not None  # noqa: S101 - it matches nothing as well
    return int(digits[0] or 0), text[digits.end() :]


def number(text: str) -> float:
    """Return a number of at most four digits and a point."""
    if not NUMBER.fullmatch(text) or not any(map(str.isdigit, text)):
        raise Refusal
    return float(text)


def shown(value: float) -> str:
    """Return a setting as the pump tells it: four digits and a point.

    >>> shown(14.43), shown(6000.0), shown(0.0)
    ('14.43', '6000.', '0.000')
    """
    places = max(DIGITS - max(len(str(int(value))), 1), 0)
    return f"{value:.{places}f}" + ("" if places else ".")


def counted(value: float) -> str:
    """Return a dispensed volume as the pump tells it.

    >>> counted(50.0), counted(12.345), counted(0.0)
    ('0050.', '12.35', '0.000')
    """
    value = round(value, 3)
    if value and value == int(value):
        return f"{int(value):04d}."
    return shown(value)


PANEL = NewEra
