"""An instrument's own watchdog: how long it may be, and who feeds it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

from instruments.clock import Clock
from instruments.errors import InstrumentError

ALIVE = 1.5
"""Real seconds that a watchdog must have; a lost answer and a busy computer cost one."""
log = logging.getLogger(__name__)


def silence_allowed(where: str, wanted: float, longest: float, clock: Clock) -> int:
    """Return the whole seconds that a watchdog is set to, 0 if it cannot be armed.

    Parameters
    ----------
    where:
        The instrument, for the warning.
    wanted, longest:
        What the lab file asks for (0: none), and the most that it takes, in s.
    clock:
        Of the lab; one that runs faster than life may need more than that.
    """
    seconds = math.ceil(clock.lasting(wanted, ALIVE)) if wanted else 0
    if seconds <= longest:
        return seconds
    log.warning(
        "%s: its watchdog is not armed: on a lab that runs %g times as fast as "
        "life it would need %d s, and has at most %g s",
        where,
        clock.speed,
        seconds,
        longest,
    )
    return 0


class Keeper:
    """A thread that feeds a watchdog, until it is told to end.

    Parameters
    ----------
    name:
        Of the instrument, for the thread and for messages.
    feed:
        Feeds once; a question that changes nothing, which is asked again by itself.
    """

    def __init__(self, name: str, feed: Callable[[], None]) -> None:
        self.name = name
        self.feed = feed
        self._ended = threading.Event()
        self._ended.set()
        self._guard = threading.Lock()

    def keep(self, interval: float) -> None:
        """Feed at once, then every ``interval`` real seconds until `end`."""
        self.feed()
        with self._guard:
            self._ended.set()
            self._ended = ended = threading.Event()
        threading.Thread(
            target=self._work,
            args=(interval, ended),
            name=f"{self.name} watchdog",
            daemon=True,
        ).start()

    def end(self) -> None:
        """Feed no more; may be repeated, waits for nothing."""
        self._ended.set()

    def _work(self, interval: float, ended: threading.Event) -> None:
        while not ended.wait(interval):
            try:
                self.feed()
            except InstrumentError as error:
                if not ended.is_set():
                    log.warning("%s: its watchdog was not fed: %s", self.name, error)
