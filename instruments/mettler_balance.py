r"""Balance: Mettler Toledo XS205DU and others that speak MT-SICS.

Serial settings: 9600 baud, 8 data bits, no parity, 1 stop bit. Commands and answers end in
``\r\n``. Nothing is sent before the answer to what was sent before: a balance may mix up
or drop commands. An answer begins with its command and a letter: A done, B more follows,
S stable, D moving, I not now, L wrong parameter, + and - beyond the range.

===============  =====================================  ==============================
``SI``           ``S S   100.0003 g``, ``S D ...``       weight now, net
``ZI``           ``ZI S``, ``ZI D``                     what lies there is zero, at once
``TI``           ``TI S   100.0003 g``                  ... is the tare, at once
``TA``           ``TA A    10.0000 g``                  tare
``TAC``          ``TAC A``                              no tare
``@``            ``I4 A "B123456789"``                  as after switching on; no tare
``I2``           ``I2 A "XS205DU Excellence 220 g"``    model, what it carries
``I3`` ``I4``    ``I4 A "B123456789"``                  software; serial number
``M21 0 0``      ``M21 A``                              answers are in gram
``WS 0``         ``WS A``                               draft shield closed
``ES``           (an answer)                            unknown command
``ET``           (an answer)                            garbled on its way: asked again
``EL``           (an answer)                            cannot be done
===============  =====================================  ==============================

``S``, ``Z`` and ``T`` do the same when the weight has become stable, and are silent until
then. The driver asks ``SI`` instead until it says ``S S``, so that it can be stopped, a
lost answer costs a second, and the deadline is in lab time.

A weight is the difference of two readings, whatever it counts from, so that its standard
uncertainty is

.. math:: u = \sqrt{2 (s^2 + d^2 / 12)}

with the repeatability *s* of the lab file and the digit *d* of the answer, in g. What the
balance is wrong by in proportion, and the buoyancy of air (0.1 % of water), are not in it.

A tare is asked for with every weight: one that is gone is a balance that was switched off.
A balance moves nothing, so that `stop` has nothing to make safe.

Unverified on hardware: that ``@`` clears the tare; that a motorised draft shield needs no
more than 10 s; that the answers to ``SI`` while it adjusts itself are ``S I``.
"""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NoReturn

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.errors import BadReply, Fault, Rejected, Restarted, WrongModel
from instruments.framing import number, plain
from instruments.link import Identity, Link
from instruments.signals import ReadBack, Verb

ANSWERING = 1.0
"""Real seconds for an answer; twenty characters take 21 ms."""
DOORS = 10.0
"""Lab seconds for the draft shield."""
POLL = 0.5
ORIGINS = ("zero", "tare", "gross")
END = b"\r\n"
WEIGHT = re.compile(r"(?P<value>-?\d+\.(?P<decimals>\d+)) (?P<unit>\S+)")
BROKEN = re.compile(r"Error \d+[bt]")


@dataclass(frozen=True, slots=True)
class BalanceSettings:
    """What the lab file says of a balance.

    Attributes
    ----------
    model:
        What the answer to ``I2`` must begin with.
    repeatability:
        Standard deviation of one reading, from its certificate.
    patience:
        How long a weight may take to become stable.
    draft_shield:
        Whether it has a motorised one, which `prepare` closes.
    """

    model: str
    repeatability: Annotated[float, "mg"]
    patience: Annotated[float, "s"] = 60.0
    draft_shield: bool = False
    baudrate: int = 9600

    def __post_init__(self) -> None:
        if self.repeatability <= 0.0:
            raise ValueError(f"repeatability {self.repeatability:g} mg is not above 0")


@dataclass(frozen=True, slots=True)
class Weight:
    """What a balance says, in g, and whether it was stable; ``digit``: its last, in g."""

    value: float
    digit: float
    stable: bool = True


class MtSicsClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def serial_number(self) -> str:
        return self._text("I4")

    def model(self) -> str:
        """Return the model and what it carries."""
        return self._text("I2")

    def software(self) -> str:
        return self._text("I3")

    def cancel(self) -> None:
        """Have it as after switching on, whatever it was doing; the tare is gone."""
        self._ask("@", "I4", "A")

    def speak_gram(self) -> None:
        self._ask("M21 0 0", "M21", "A")

    def close_doors(self, timeout: float) -> None:
        """Close the draft shield; done when it is closed."""
        self._ask("WS 0", "WS", "A", timeout=timeout)

    def weight(self) -> Weight | None:
        """Return the net weight of now; None while it cannot say."""
        letter, rest = self._ask("SI", "S", "SDI")
        return None if letter == "I" else self._weight("SI", letter, rest)

    def zero(self) -> bool:
        """Take what lies on the pan for zero at once; return whether it was stable."""
        letter, _ = self._ask("ZI", "ZI", "SDI")
        return letter == "S"

    def tare(self) -> Weight | None:
        """Take it for the tare at once; return the tare, or None if it cannot now."""
        letter, rest = self._ask("TI", "TI", "SDI")
        return None if letter == "I" else self._weight("TI", letter, rest)

    def known_tare(self) -> float:
        """Return the tare, g."""
        _, rest = self._ask("TA", "TA", "A")
        return self._weight("TA", "S", rest).value

    def clear_tare(self) -> None:
        self._ask("TAC", "TAC", "A")

    def _text(self, question: str) -> str:
        _, rest = self._ask(question, question, "A")
        return rest.strip('"')

    def _ask(
        self, command: str, word: str, letters: str, *, timeout: float | None = None
    ) -> tuple[str, str]:
        """Return the letter of an answer, one of those, and what follows it.

        All that is asked here sets, at most, what it has set.
        """
        message = plain(command, place=self.link.place) + END

        def once() -> tuple[str, str]:
            answer = self.link.ask(message, end=END, timeout=timeout)
            said = " ".join(answer.decode("ascii", "replace").split())
            first, _, rest = said.partition(" ")
            letter, _, rest = rest.partition(" ")
            if first == word and letter in (*letters,) and not BROKEN.fullmatch(rest):
                return letter, rest
            return self._refuse(command, first, word, letter, said)

        return self.link.again(once)

    def _refuse(
        self, command: str, first: str, word: str, letter: str, said: str
    ) -> NoReturn:
        what = f"{self.link.place}: {command!r} answered {said!r}"
        if first in ("ES", "EL"):
            reason = "it does not know that" if first == "ES" else "it cannot do that"
            raise Rejected(f"{what}: {reason}")
        if first == word and "Error" in said:
            raise Fault(f"{what}: its hardware is in trouble")
        if first == word and letter in ("+", "-"):
            beyond = "too much lies" if letter == "+" else "too little lies"
            raise Rejected(f"{what}: {beyond} on the pan")
        if first == word and letter in ("L", "I"):
            reason = "wrong parameter" if letter == "L" else "not now"
            raise Rejected(f"{what}: {reason}")
        raise BadReply(what)

    def _weight(self, command: str, letter: str, rest: str) -> Weight:
        found = WEIGHT.fullmatch(rest)
        what = f"{self.link.place}: {command!r} answered {rest!r}"
        if found is None:
            raise BadReply(what)
        if found["unit"] != "g":
            raise Restarted(f"{what}, not in gram as it was told")
        value = number(found["value"].encode(), place=what)
        return Weight(value, 10.0 ** -len(found["decimals"]), letter == "S")


class Balance(Instrument):
    """Weighs what lies on its pan, when it lies still."""

    Settings: ClassVar[type] = BalanceSettings
    settings: BalanceSettings

    weight = Component(ReadBack, units="g", precision=5)
    uncertainty = Component(ReadBack, units="g", precision=6)
    tare = Component(ReadBack, units="g", precision=5)
    origin = Component(Verb, begin="count_from", units="", value="gross")

    _tare = 0.0

    def make_link(self, port: str) -> Link:
        return Link(
            port, baudrate=self.settings.baudrate, timeout=ANSWERING, name=self.name
        )

    @property
    def client(self) -> MtSicsClient:
        return MtSicsClient(self.link)

    def identify(self) -> Identity:
        serial, model = self.client.serial_number(), self.client.model()
        if not model.startswith(self.settings.model):
            raise WrongModel(
                f"{self.where}: 'I2' answered {model!r}; the lab file promises "
                f"{self.settings.model!r}"
            )
        name = self.settings.model
        return Identity("Mettler Toledo", name, serial, self.client.software())

    def set_up(self, cancelled: threading.Event) -> None:
        """End whatever it does, close the draft shield, forget a tare."""
        self.client.cancel()
        self.client.speak_gram()
        if self.settings.draft_shield:
            self.client.close_doors(ANSWERING + self.clock.real(DOORS) + 1.0)
        self._clear()

    def look(self) -> dict[str, Any]:
        """Return what it weighs now, None while it cannot say."""
        weight = self.client.weight()
        return {
            "weight_g": None if weight is None else weight.value,
            "stable": weight is not None and weight.stable,
            "tare_g": self.client.known_tare(),
        }

    def count_from(self, origin: str) -> DeviceStatus:
        """Have weights count from zero, a tare, or neither; done when it is stable.

        ``zero``: what lies on the pan counts as nothing, for good; only a little may.
        ``tare``: the same, until the tare is cleared. ``gross``: the tare is cleared.
        """
        if origin not in ORIGINS:
            raise Rejected(
                f"{self.name}: origin {origin!r} is not one of {', '.join(ORIGINS)}"
            )
        work = {
            "zero": self._zero,
            "tare": self._take_tare,
            "gross": lambda _: self._clear(),
        }[origin]
        return self.begin(work, within=self.settings.patience)

    def trigger(self) -> DeviceStatus:
        """Weigh; done when the weight is stable."""
        return self.begin(
            lambda cancelled: self._asked(lambda: self._weigh(cancelled)),
            within=self.settings.patience,
            alone=False,
        )

    def std(self, digit: float) -> float:
        """Return the standard uncertainty of a weight with that last digit, g."""
        repeatability = self.settings.repeatability * 1e-3
        return math.sqrt(2.0 * (repeatability**2 + digit**2 / 12.0))

    def _weigh(self, cancelled: threading.Event) -> None:
        weight = self._stable(cancelled)
        tare = self.client.known_tare()
        if abs(tare - self._tare) > weight.digit / 2.0:
            raise Restarted(
                f"{self.where}: its tare is {tare:g} g, not {self._tare:g} g: it was "
                "switched off, or somebody set it"
            )
        self.tare.keep(tare)
        self.uncertainty.keep(self.std(weight.digit))
        self.weight.keep(weight.value)

    def _stable(self, cancelled: threading.Event) -> Weight:
        """Return a weight as soon as it is stable."""
        deadline = self.deadline(self.settings.patience)
        while True:
            weight = self.client.weight()
            if weight is not None and weight.stable:
                return weight
            if self.clock.now() > deadline:
                raise Fault(
                    f"{self.where}: no stable weight in {self.settings.patience:g} s; "
                    "is there a draft, or does something evaporate?"
                )
            self.pause(POLL, cancelled)

    def _zero(self, cancelled: threading.Event) -> None:
        self._clear()
        self._stable(cancelled)
        while not self.client.zero():  # it moved since
            self.pause(POLL, cancelled)
            self._stable(cancelled)
        self._clear("zero")

    def _take_tare(self, cancelled: threading.Event) -> None:
        self._stable(cancelled)
        while (tare := self.client.tare()) is None or not tare.stable:
            self.pause(POLL, cancelled)
            self._stable(cancelled)
        self._tare = tare.value
        self.tare.keep(tare.value)
        self.origin.keep("tare")

    def _clear(self, origin: str = "gross") -> None:
        self.client.clear_tare()
        self._tare = 0.0
        self.tare.keep(0.0)
        self.origin.keep(origin)


DRIVER = Balance
