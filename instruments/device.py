"""What every instrument on a cable has in common, seen from bluesky.

``connect`` opens the link and asks who is there; ``survey`` asks what it is physically
doing; ``prepare`` brings the instrument to its starting state; verbs return a status
that a thread of ours ends when the instrument says so; ``stop`` makes it safe, and then
nothing moves until ``prepare``.

A cable that went is taken up again by what only asks (`trigger`, `survey`) and by
`prepare`, and the same instrument must answer. An act that was under way fails.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from ophyd import Device
from ophyd.status import DeviceStatus
from ophyd.utils import StatusTimeoutError

from instruments.clock import Clock
from instruments.errors import (
    InstrumentError,
    LinkError,
    Rejected,
    Stopped,
    WrongModel,
)
from instruments.link import Identity, Link

Work = Callable[[threading.Event], None]
"""Waits for something, and looks at the event that says it is cancelled."""

LINK_MARGIN = 20.0
"""Real seconds that the links may cost a status beyond what it does in lab time."""
LINK_SLACK = 5.0
"""Of these, what lost answers may cost before something counts as too late."""
RETURN_TIME = 5.0
"""Real seconds in which a cable that went must be back."""

Told = TypeVar("Told")


class Instrument(Device):  # type: ignore[misc]  # ophyd has no types
    """One instrument on one link; subclasses say what it can do.

    Parameters
    ----------
    name:
        What the lab file calls it.
    port:
        Device file or URL of its link.
    settings:
        An instance of the driver's own `Settings`.
    clock:
        The time of the lab.
    """

    Settings: ClassVar[type]
    bus: ClassVar[tuple[str, ...]] = ()
    """Settings that all instruments on one port must have in common, where several may
    share it: they are told apart by their setting `address`. Empty: none may."""

    def __init__(self, name: str, *, port: str, settings: Any, clock: Clock) -> None:
        super().__init__(name=name)
        self.port = port
        self.settings = settings
        self.clock = clock
        self.link = self.make_link(port)
        self.where = self.link.place
        self.identity: Identity | None = None
        self._cancelled = threading.Event()
        self._guard = threading.Lock()
        self._stopped = False
        self._acts = 0

    def make_link(self, port: str) -> Link:
        """Return the link, with this instrument's serial settings, not yet open."""
        raise NotImplementedError

    def identify(self) -> Identity:
        """Ask who is there, on a link that is open; nothing moves."""
        raise NotImplementedError

    def set_up(self, cancelled: threading.Event) -> None:
        """Bring the instrument to its starting state, as far as it is not there."""
        raise NotImplementedError

    def look(self) -> dict[str, Any]:
        """Ask what the instrument is physically doing; see `survey`."""
        return {}

    def refresh(self) -> None:
        """Ask the instrument for its readings and keep them."""

    def make_safe(self) -> None:
        """Tell the instrument to be safe; short, repeatable, from any thread."""

    def meet(self, station: Mapping[str, Instrument]) -> None:
        """Be told of the devices of its station, by role; for interlocks."""

    def connect(self) -> Identity:
        """Open the link and ask who is there; nothing moves."""
        self.link.open()
        self.identity = self.identify()
        return self.identity

    def prepare(self) -> None:
        """Bring the instrument to its starting state; its cable may have gone.

        Raises
        ------
        Stopped
            If it is stopped meanwhile; then it is not prepared.
        """
        with self._guard:
            if self._cancelled.is_set():
                self._cancelled = threading.Event()
            cancelled = self._cancelled
        if self.link.lost or not self.link.is_open:
            self.reconnect()
        try:
            self.set_up(cancelled)
        finally:
            if cancelled.is_set():  # what was sent after the stop is taken back
                self.make_safe()
        with self._guard:
            self.go_on(cancelled)
            self._stopped = False

    def survey(self) -> dict[str, Any]:
        """Ask what the instrument is physically doing; nothing changes.

        May be called as soon as it is connected. Plain values, with the unit in the
        key; None for what the instrument cannot know.
        """
        return self._asked(self.look)

    def reconnect(self) -> None:
        """Open a link that has gone, and see that the same instrument answers."""
        self.link.reopen(RETURN_TIME)
        before = self.identity
        self.identity = self.identify()
        if before is not None and self.identity != before:
            # One garbled letter is no other instrument.
            if (found := self.identify()) != before:
                self.link.close()
                raise WrongModel(f"{self.where}: {found} answers; it was {before}")
            self.identity = found
        if self._stopped:  # the cable was gone when it was to be made safe
            self.make_safe()

    def _asked(self, ask: Callable[[], Told]) -> Told:
        """Return what is answered, if need be on a link that had to be opened again."""
        try:
            return ask()
        except LinkError:
            if not self.link.lost or self.acting:
                raise
        self.reconnect()
        return ask()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped and not prepared since."""
        return self._stopped

    @property
    def acting(self) -> bool:
        """Whether a verb is under way."""
        return self._acts > 0

    def begin(self, work: Work, *, within: float, alone: bool = True) -> DeviceStatus:
        """Have ``work`` done in a thread; the status ends with it.

        ``within`` is in lab seconds, and the last line of defence: work that knows
        better why it takes too long says so earlier. Work that acts is ``alone``;
        work that only asks may go on beside it.
        """
        with self._guard:
            if self._stopped:
                raise Rejected(f"{self.where}: was stopped; prepare it before it acts")
            if alone and self._acts:
                raise Rejected(f"{self.where}: is still doing what it was told before")
            self._acts += alone
            cancelled = self._cancelled
        # ophyd's own stop comes after `wait` has returned, and so could end what was
        # begun since; ours comes before.
        status = DeviceStatus(
            self,
            timeout=self.clock.real(within) + LINK_MARGIN,
            call_stop_on_failure=False,
        )
        status.add_callback(self._stop_if_too_late)

        def carry_out() -> None:
            trouble: Exception | None = None
            try:
                work(cancelled)
            except Exception as error:  # noqa: BLE001 - the top of a thread
                trouble = error
            if trouble is not None and cancelled.is_set():
                # A stop cuts questions off; what they then say is not the trouble.
                stopped = Stopped(f"{self.where}: was stopped")
                stopped.__cause__ = trouble
                trouble = stopped
            with self._guard:
                self._acts -= alone
                late = cancelled.is_set() and cancelled is self._cancelled
            if late and alone:
                # What it sent between the stop and its notice of it is taken back.
                with contextlib.suppress(InstrumentError):
                    self.make_safe()
            if trouble is None:
                status.set_finished()
                return
            if not isinstance(trouble, Stopped):
                with contextlib.suppress(InstrumentError):
                    self.stop()
            status.set_exception(trouble)

        threading.Thread(target=carry_out, name=self.name, daemon=True).start()
        return status

    def _stop_if_too_late(self, status: DeviceStatus) -> None:
        if isinstance(status.exception(), StatusTimeoutError):
            self.stop()

    def deadline(self, seconds: float) -> float:
        """Return the lab moment by which what takes ``seconds`` must be over.

        Answers that are lost cost real time, which is much on a bench that runs faster
        than life.
        """
        return self.clock.now() + seconds + LINK_SLACK * self.clock.speed

    def pause(self, seconds: float, cancelled: threading.Event) -> None:
        """Wait lab ``seconds``; raise `Stopped` at once when the device is stopped."""
        self.clock.wait(seconds, cancelled)
        self.go_on(cancelled)

    def go_on(self, cancelled: threading.Event) -> None:
        """Raise `Stopped` if the device has been stopped."""
        if cancelled.is_set():
            raise Stopped(f"{self.where}: was stopped")

    def trigger(self) -> DeviceStatus:
        """Ask for the readings; done when they have been answered."""
        return self.begin(lambda _: self._asked(self.refresh), within=0.0, alone=False)

    def stop(self, *, success: bool = False) -> None:
        """Make safe at once, whatever other threads are doing; may be repeated."""
        with self._guard:
            self._stopped = True
            self._cancelled.set()
        self.link.interrupt()
        if self.link.is_open:
            self.make_safe()

    def disconnect(self) -> None:
        """Close the link; may be repeated."""
        with self._guard:
            self._cancelled.set()
        self.link.close()
