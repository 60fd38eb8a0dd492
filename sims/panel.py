"""The half of a simulated instrument that the wire sees.

A panel turns bytes into calls on a model and readings into bytes. Everything runs in
one thread, on the loop of the bench: a panel never blocks and never sleeps; what
takes time is said or done `later`, in bench seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.bench import Bench, Timer


class Panel:
    """One simulated instrument on one port; subclass it per dialect.

    Parameters
    ----------
    name:
        The instrument's name in the bench file.
    bench:
        What is shared: clock, samples, slots, journal, and the other instruments.
    settings:
        The instrument's own keys in the bench file.
    """

    baud: float = 9600.0
    """Bits per second; an answer takes 10 bits a character to arrive."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        self.name = name
        self.bench = bench
        self.settings = settings

    def opened(self) -> None:
        """Take note that a client opened the port."""

    def closed(self) -> None:
        """Take note that the client closed the port."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the wire, in whatever pieces they arrive."""
        raise NotImplementedError

    def say(self, data: bytes, after: float = 0.0) -> None:
        """Send bytes, ``after`` bench seconds plus their time on the wire from now.

        Answers leave in the order in which they were said.
        """
        self.bench.send(self, data, after)

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call ``call`` in ``seconds`` of bench time, unless the timer is cancelled."""
        return self.bench.later(seconds, call)

    def note(self, event: str, **facts: Any) -> None:
        """Write a physical event to this instrument's own journal."""
        self.bench.note(self.name, event, **facts)

    @property
    def now(self) -> float:
        """Bench seconds since the bench was switched on."""
        return self.bench.now
