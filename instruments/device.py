"""What every instrument on a cable has in common, seen from bluesky.

``connect`` opens the link and asks who is there; ``prepare`` brings the instrument to
its starting state; verbs return a status that a thread of ours ends when the
instrument says so; ``stop`` makes it safe, and then nothing moves until ``prepare``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from ophyd import Device
from ophyd.status import DeviceStatus
from ophyd.utils import StatusTimeoutError

from instruments.clock import Clock
from instruments.errors import InstrumentError, Rejected, Stopped
from instruments.link import Identity, Link

Work = Callable[[threading.Event], None]
"""Waits for something, and looks at the event that says it is cancelled."""

LINK_MARGIN = 20.0
"""Real seconds that the links may cost a status beyond what it does in lab time."""


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

    def __init__(self, name: str, *, port: str, settings: Any, clock: Clock) -> None:
        super().__init__(name=name)
        self.port = port
        self.settings = settings
        self.clock = clock
        self.link = self.make_link(port)
        self.place = self.link.place
        self._cancelled = threading.Event()
        self._guard = threading.Lock()
        self._stopped = False
        self._acts = 0

    def make_link(self, port: str) -> Link:
        """Return the link, with this instrument's serial settings, not yet open."""
        raise NotImplementedError

    def connect(self) -> Identity:
        """Open the link and ask who is there; nothing moves."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Bring the instrument to its starting state, as far as it is not there."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Ask the instrument for its readings and keep them."""

    def survey(self) -> dict[str, Any]:
        """TEMP."""
        return {}

    def make_safe(self) -> None:
        """Tell the instrument to be safe; short, repeatable, from any thread."""

    @property
    def stopped(self) -> bool:
        """Whether it was stopped and not prepared since."""
        return self._stopped

    @property
    def acting(self) -> bool:
        """Whether a verb is under way."""
        return self._acts > 0

    def ready(self) -> None:
        """Let verbs act again; the last line of a `prepare`."""
        with self._guard:
            self._stopped = False
            self._cancelled = threading.Event()

    def begin(self, work: Work, *, within: float, alone: bool = True) -> DeviceStatus:
        """Have ``work`` done in a thread; the status ends with it.

        ``within`` is in lab seconds, and the last line of defence: work that knows
        better why it takes too long says so earlier. Work that acts is ``alone``;
        work that only asks may go on beside it.
        """
        with self._guard:
            if self._stopped:
                raise Rejected(f"{self.place}: was stopped; prepare it before it acts")
            if alone and self._acts:
                raise Rejected(f"{self.place}: is still doing what it was told before")
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
                stopped = Stopped(f"{self.place}: was stopped")
                stopped.__cause__ = trouble
                trouble = stopped
            with self._guard:
                self._acts -= alone
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

    def pause(self, seconds: float, cancelled: threading.Event) -> None:
        """Wait lab ``seconds``; raise `Stopped` at once when the device is stopped."""
        self.clock.wait(seconds, cancelled)
        self.go_on(cancelled)

    def go_on(self, cancelled: threading.Event) -> None:
        """Raise `Stopped` if the device has been stopped."""
        if cancelled.is_set():
            raise Stopped(f"{self.place}: was stopped")

    def trigger(self) -> DeviceStatus:
        """Ask for the readings; done when they have been answered."""
        return self.begin(lambda _: self.refresh(), within=0.0, alone=False)

    def stop(self, *, success: bool = False) -> None:
        """Make safe at once, whatever other threads are doing; may be repeated."""
        with self._guard:
            self._stopped = True
            self._cancelled.set()
        if self.link.is_open:
            self.make_safe()

    def disconnect(self) -> None:
        """Close the link; may be repeated."""
        with self._guard:
            self._cancelled.set()
        self.link.close()
