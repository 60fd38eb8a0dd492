r"""Optical power meter: Thorlabs PM100 family (PM100D manual p. 49-51), SCPI.

On a virtual COM port, where the serial settings have no effect; messages end in ``\n``
both ways. A question before the answer to the last one is read corrupts answers.

==============================  ==========================  ===========================
``*IDN?``                       ``THORLABS,PM100D,...``     maker, model, serial, firmware
``SYST:SENS:IDN?``              ``"S120VC",...,1,18,33``    head: name, serial, calibration,
                                                            type (0 none), subtype, flags
``SENS:POW:UNIT W``             no answer                   watts
``SENS:CORR:WAV <nm>``          no answer                   wavelength; ``?``, ``? MIN``,
                                                            ``? MAX`` ask
``SENS:POW:RANG:AUTO 1``        no answer                   whatever range fits
``SENS:AVER:COUN <n>``          no answer                   samples of 3 ms a reading
``READ?``                       ``1.23456789E-03``          W; ``9.9E37`` over-range
``SENS:CORR:COLL:ZERO:MAGN?``   ``2.10000000E-09``          W; the stored zero
``SYST:ERR?``                   ``+0,"No error"``           takes one error from the queue
==============================  ==========================  ===========================

The stored zero is already taken off every reading; it is read to be written down. Zeroing
needs a dark head and is left to a person.

Safe state: nothing to do; it only looks.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.errors import BadReply, Fault, Restarted, WrongModel
from instruments.framing import within
from instruments.link import Identity, Link
from instruments.scpi import Scpi, scpi_link
from instruments.signals import ReadBack

OVER_RANGE = 9e37
SAMPLE_TIME = 0.003
"""Seconds of one sample."""
READING_TIME = 2.0
"""Real seconds for the answer to a reading beside its samples."""


@dataclass(frozen=True, slots=True)
class PowerMeterSettings:
    """What the lab file says of a power meter.

    Attributes
    ----------
    wavelength:
        Of the lamp; the head's response depends on it.
    averaging:
        Samples that make one reading.
    """

    wavelength: Annotated[float, "nm"]
    averaging: int = 100
    baudrate: int = 115200
    model: str = "PM"


class Pm100Client:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.place = link.place
        self.scpi = Scpi(link, error="SYST:ERR?")

    def identity(self, model: str) -> Identity:
        return self.scpi.identity(model)

    def head(self) -> str:
        """Return the name of the head."""
        question = "SYST:SENS:IDN?"
        _, answer = self.scpi.says(question, lambda told: told.count(",") == 5)
        words = [word.strip(' "') for word in answer.split(",")]
        if len(words) != 6:
            raise BadReply(f"{self.place}: {question!r} answered {answer!r}")
        if words[3] == "0":
            raise WrongModel(
                f"{self.place}: 'SYST:SENS:IDN?' answered {answer!r}: no head"
            )
        return words[0]

    def configure(self, wavelength: float, averaging: int) -> None:
        """Read watts at a wavelength (nm), in whatever range fits."""
        self.scpi.tell("*CLS")
        self._set("SENS:POW:UNIT", "W")
        low = self.scpi.number("SENS:CORR:WAV? MIN")
        high = self.scpi.number("SENS:CORR:WAV? MAX")
        within(wavelength, low, high, f"{self.place}: wavelength", "nm")
        self._set("SENS:CORR:WAV", f"{wavelength:g}")
        self._set("SENS:POW:RANG:AUTO", "1")
        self._set("SENS:AVER:COUN", f"{averaging}")
        self.scpi.check("SENS:AVER:COUN")

    def _set(self, header: str, value: str) -> None:
        """Set something and read it back."""
        self.scpi.tell(f"{header} {value}")
        right, says = self.scpi.says(
            f"{header}?", lambda told: told == value or _same_number(told, value)
        )
        if not right:
            self.scpi.check(f"{header} {value}")
            raise Fault(
                f"{self.place}: '{header}?' answered {says!r} after '{header} {value}'"
            )

    def reads_at(self, wavelength: float) -> None:
        """Raise `Restarted` if it reads at another wavelength (nm) than this."""
        right, says = self.scpi.says(
            "SENS:CORR:WAV?", lambda told: _same_number(told, f"{wavelength:g}")
        )
        if not right:
            raise Restarted(
                f"{self.place}: reads at {says} nm, not at {wavelength:g} nm as it was "
                "told: it was switched off"
            )

    def power(self, timeout: float) -> float:
        """Take a reading, in watt, with the stored zero taken off."""
        return self.scpi.number("READ?", timeout=timeout)

    def dark(self) -> float:
        """Return the stored zero, in watt."""
        return self.scpi.number("SENS:CORR:COLL:ZERO:MAGN?")


class PowerMeter(Instrument):
    """Reads the power of the light that falls on its head."""

    Settings: ClassVar[type] = PowerMeterSettings
    settings: PowerMeterSettings

    power = Component(ReadBack, units="W", precision=9)
    dark = Component(ReadBack, units="W", precision=12)
    wavelength = Component(ReadBack, units="nm", precision=1, kind="config")

    def make_link(self, port: str) -> Link:
        return scpi_link(port, self.settings.baudrate, self.name)

    @property
    def client(self) -> Pm100Client:
        return Pm100Client(self.link)

    @property
    def reading_time(self) -> float:
        """Lab seconds of one reading."""
        return self.settings.averaging * SAMPLE_TIME

    def identify(self) -> Identity:
        within(self.settings.averaging, 1, 3000, f"{self.name}: averaging", "samples")
        identity = self.client.identity(self.settings.model)
        self.client.head()
        return identity

    def set_up(self, cancelled: threading.Event) -> None:
        """Set wavelength and averaging; the head must know the wavelength."""
        self.client.configure(self.settings.wavelength, self.settings.averaging)
        self.wavelength.keep(self.settings.wavelength)

    def trigger(self) -> DeviceStatus:
        """Take one reading; done when it has been answered."""
        return self.begin(
            lambda _: self._asked(self.refresh), within=self.reading_time, alone=False
        )

    def refresh(self) -> None:
        timeout = READING_TIME + self.clock.real(2.0 * self.reading_time)
        power = self.client.power(timeout)
        if abs(power) > OVER_RANGE:
            raise Fault(f"{self.where}: 'READ?' answered {power:g}: over range")
        self.client.reads_at(self.settings.wavelength)
        self.power.keep(power)
        self.dark.keep(self.client.dark())


def _same_number(says: str, value: str) -> bool:
    try:
        return math.isclose(float(says), float(value), rel_tol=1e-4)
    except ValueError:
        return False


DRIVER = PowerMeter
