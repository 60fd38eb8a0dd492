"""Feeds an instrument's own watchdog for as long as this process lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from instruments.errors import InstrumentError

log = logging.getLogger(__name__)


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
