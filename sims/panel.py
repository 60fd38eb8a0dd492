"""The half of a simulated instrument that the wire sees.

A panel turns bytes into calls on a model and readings into bytes. Everything runs in
one thread, on the loop of the bench: a panel never blocks and never sleeps; what
takes time is said or done `later`, in bench seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sims import spec as checks
from sims.faults import KINDS
from sims.spec import BadBench

if TYPE_CHECKING:
    from sims.bench import Bench, Timer


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message to an instrument: its bytes, and what they say without frame.

    ``text`` is empty where the bytes say nothing, as a second line end does.
    """

    data: bytes
    text: str


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
    kinds: ClassVar[frozenset[str]] = frozenset(KINDS) - {"wrong_checksum"}
    """The kinds of fault that it can have."""
    has_wire: ClassVar[bool] = True
    asked = answered = 0
    """Messages taken to be answered in turn, and how many of them are dealt with; for
    instruments that answer while they listen, both stay 0."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        self.name = name
        self.bench = bench
        self.settings = settings
        self.wire = checks.text(settings.get("line", name), f"instruments.{name}.line")
        """Whose port its bytes leave by: its own, or that of a line (`sims.panels.line`)."""
        if self.wire != name:
            if self.wire not in bench.instruments:
                rule = f"there is no {self.wire!r} before it"
                raise BadBench(f"instruments.{name}.line: {rule}")
            bench.instruments[self.wire].join(self)

    def join(self, member: Panel) -> None:
        """Take an instrument on this one's port; only a line can."""
        raise BadBench(f"instruments.{member.name}.line: {self.name!r} is not a line")

    def opened(self) -> None:
        """Take note that a client opened the port."""

    def closed(self) -> None:
        """Take note that the client closed the port."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the wire, in whatever pieces they arrive."""
        raise NotImplementedError

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        """Return the messages that bytes hold, and what is no whole message yet."""
        raise NotImplementedError

    def with_wrong_checksum(self, data: bytes) -> bytes | None:
        """Return a message or an answer with a wrong checksum, if it has one at all."""
        return None

    def hang(self, data: bytes) -> None:
        """Take a message, and be busy from now on until told to stop."""
        raise NotImplementedError

    def refuse(self, data: bytes) -> None:
        """Say no to a message."""
        raise NotImplementedError

    def break_down(self, data: bytes) -> None:
        """Break, as this machine would, at this message."""
        raise NotImplementedError

    def lose_power(self) -> None:
        """Stop, and forget what is not kept without power."""
        raise NotImplementedError

    def get_power(self) -> None:
        """Begin anew; the settings were forgotten before."""

    def matter(self) -> Any:
        """Return what of the machine outlives its power: where it stands, what it holds."""
        return None

    def place_matter(self, matter: Any) -> None:
        """Put the machine back to how `matter` said that it was."""

    def say(self, data: bytes, after: float = 0.0) -> None:
        """Send bytes, ``after`` bench seconds plus their time on the wire from now.

        Answers leave in the order in which they were said.
        """
        self.bench.cables[self.name].leave(data, after)

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


def cut_lines(
    data: bytes, ends: bytes = b"\r\n", *, pairs: bool = True
) -> tuple[list[Message], bytes]:
    r"""Cut at each line end; with ``pairs``, CR LF is one.

    >>> messages, rest = cut_lines(b"IN_NAME \r\nIN_SP_1\nSTA")
    >>> [(message.data, message.text) for message in messages], rest
    ([(b'IN_NAME \r\n', 'IN_NAME'), (b'IN_SP_1\n', 'IN_SP_1')], b'STA')
    """
    messages, begin = [], 0
    for place, byte in enumerate(data):
        if byte in ends and place >= begin:
            end = (
                place + 2 if pairs and data[place : place + 2] == b"\r\n" else place + 1
            )
            line = data[begin:place].decode("latin-1").strip()
            messages.append(Message(data[begin:end], line))
            begin = end
    return messages, data[begin:]
