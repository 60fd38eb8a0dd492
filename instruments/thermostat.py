"""What brings a sample to a temperature and keeps it there, whatever its dialect.

A hotplate, an oven behind a controller and a circulating bath answer to the same verbs,
so that the plans of `plans.heat` work with each of them in the role ``hotplate``. A
driver says how a temperature is set and read; when it has been reached, and when it is
trouble, is said here.
"""

from __future__ import annotations

import logging
import math
import threading
from typing import Any, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.clock import Clock
from instruments.device import Instrument
from instruments.errors import Fault, Rejected
from instruments.framing import within
from instruments.keeper import Keeper
from instruments.orders import Hold
from instruments.signals import ReadBack, Verb

POLL = 2.0
FLAT = 0.2
FLAT_TIME = 120.0
"""What cools by less than `FLAT` K in this many seconds has met the room."""
PATIENCE = 900.0
"""Seconds that any way may take, beside those for each K of it."""
WARMED = 1.0
"""K by which what heats must have risen ..."""
log = logging.getLogger(__name__)


class Thermostat(Instrument):
    """An instrument with one temperature, that is reached and held."""

    temperature = Component(Verb, begin="reach", units="degC", precision=1)
    set_point = Component(ReadBack, units="degC", precision=1)
    held = Component(Verb, begin="keep_for", units="s", precision=0)

    settled: float = 1.0
    """K between reading and set point that count as there ..."""
    settling_time: float = 30.0
    """... when it has been so for so many seconds."""
    window: ClassVar[float] = 5.0
    """K that it may leave its set point while it is held."""
    heating: ClassVar[float] = 30.0
    cooling: ClassVar[float] = 90.0
    """Seconds that a K may take on the way, generously."""
    warming_time: float = 180.0
    """... within so many seconds."""
    cools: bool = False
    """Whether it has a cooler, so that it must come to a set point below the room."""

    def __init__(self, name: str, *, port: str, settings: Any, clock: Clock) -> None:
        super().__init__(name, port=port, settings=settings, clock=clock)
        self.keeper = Keeper(self.where, lambda: self._asked(self.feed))

    def check(self, temperature: float) -> None:
        """Raise `Rejected` for a temperature (degC) that may not be set."""
        raise NotImplementedError

    def told(self) -> float:
        """Ask what it is set to, degC."""
        raise NotImplementedError

    def choose(self, temperature: float) -> None:
        """Set a temperature (degC), and see that it was taken."""
        raise NotImplementedError

    def feed(self) -> None:
        """Ask what its own watchdog takes for a sign of life; the `keeper` does."""

    def arm(self) -> None:
        """Have it switch itself off when we fall silent, if it can."""

    def drive(self) -> None:
        """Have it heat or cool to what it is set to; may be repeated."""
        raise NotImplementedError

    def show(self, wanted: float) -> float:
        """Return what it shows, degC; it must still be set to what is wanted."""
        raise NotImplementedError

    def reach(self, temperature: float) -> DeviceStatus:
        """Heat or cool to a temperature; done when it has settled there."""
        self.check(temperature)
        way = temperature - self.temperature.get()
        allowed = PATIENCE + self.time_for(way)
        return self.begin(
            lambda cancelled: self._reach(temperature, allowed, cancelled),
            within=allowed,
        )

    def time_for(self, way: float) -> float:
        """Return the seconds that so many K up, or down, may take."""
        return self.heating * way if way > 0 else -self.cooling * way

    def keep_for(self, hold: Hold) -> DeviceStatus:
        """Keep the temperature that it has; done when the time is over.

        It goes on afterwards.
        """
        self.check(hold.temperature)
        within(hold.duration, 0.0, 86400.0, f"{self.name}: duration", "s")
        return self.begin(
            lambda cancelled: self._hold(hold, cancelled), within=hold.duration + 60.0
        )

    def stop(self, *, success: bool = False) -> None:
        """Make safe; one that cannot be reached is left to its watchdog."""
        self.keeper.end()
        super().stop(success=success)

    def disconnect(self) -> None:
        """Close the link; a watchdog is fed no more, and may switch it off."""
        self.keeper.end()
        super().disconnect()

    def _reach(
        self, temperature: float, allowed: float, cancelled: threading.Event
    ) -> None:
        self.choose(temperature)
        self.go_on(cancelled)
        self.arm()
        self.go_on(cancelled)
        self.drive()
        deadline = self.deadline(allowed)
        settled_since = flat_since = told = self.clock.now()
        begin = lowest = math.inf
        times = 1
        while True:
            self.pause(POLL, cancelled)
            shown, now = self.show(temperature), self.clock.now()
            begin = min(begin, shown)
            if abs(shown - temperature) > self.settled:
                settled_since = now
            elif now - settled_since >= self.settling_time:
                return
            if shown < lowest - FLAT:
                lowest, flat_since = shown, now
            # Without a cooler, a set point that the room is above is met when it
            # cools no further.
            cool = not self.cools and temperature < shown <= temperature + self.window
            if cool and now - flat_since >= FLAT_TIME:
                return
            cold = shown < min(begin + WARMED, temperature - self.window)
            if cold and now - told > self.warming_time:
                if times > 1:
                    raise Fault(
                        f"{self.where}: {shown:g} degC, and has not warmed by "
                        f"{WARMED:g} K though told twice to heat"
                    )
                log.warning("%s: does not warm; told again to heat", self.where)
                self.go_on(cancelled)
                self.drive()
                times, told = times + 1, now
            if now > deadline:
                raise Fault(
                    f"{self.where}: {shown:g} degC, not settled within "
                    f"{self.settled:g} K of {temperature:g} degC {allowed:.0f} s after "
                    "it was told"
                )

    def _hold(self, hold: Hold, cancelled: threading.Event) -> None:
        chosen = self.told()
        self.set_point.keep(chosen)
        if abs(chosen - hold.temperature) > 0.1:
            raise Rejected(
                f"{self.where}: is set to {chosen:g} degC, so it cannot hold "
                f"{hold.temperature:g} degC; reach it first"
            )
        began = self.clock.now()
        while True:
            shown = self.show(hold.temperature)
            if abs(shown - hold.temperature) > self.window:
                raise Fault(
                    f"{self.where}: {shown:g} degC, more than {self.window:g} K from "
                    f"the {hold.temperature:g} degC that it was to hold"
                )
            passed = self.clock.now() - began
            self.held.keep(passed)
            if passed >= hold.duration:
                return
            self.pause(min(POLL, hold.duration - passed), cancelled)
