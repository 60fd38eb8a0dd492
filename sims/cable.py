"""The wire to one instrument, as faulty as its rules say.

Without rules bytes pass as they come. With rules they pass message by message, as the
panel cuts them, and at most one fault befalls each message or its reply. A fault that
finds nothing to hit (a reply to a command that is never answered, a checksum where
there is none) did not happen: its rule waits for the next message.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sims.faults import SIDED, Stated

if TYPE_CHECKING:
    from sims.bench import Bench
    from sims.panel import Message, Panel

LONGEST = 4096
"""Bytes without an end that are passed on as they are."""
NOISE = (0x80, 0x100)
"""What garbled bytes of a reply become: no number becomes another one."""
JUNK = b"^`{}\\|"
"""What those of a command become: real-time bytes of no dialect, digits of none."""
FRAME = b"\x02\x03\r\n"
SPOILED = 0.3


class Cable:
    """What is between the port and the panel.

    Parameters
    ----------
    bench, panel:
        Whose wire it is.
    """

    def __init__(self, bench: Bench, panel: Panel) -> None:
        self.bench = bench
        self.panel = panel
        self._rest = b""
        self._late: deque[Message] | None = None
        self._said: list[tuple[bytes, float]] | None = None
        self._hearing = self._more = False
        self._awaited: dict[int, tuple[Stated, str]] = {}
        self._last = b""
        self._off: object | None = None

    def opened(self) -> None:
        """Take note of a client that opened the port."""
        self._lose()
        self.panel.opened()

    def closed(self) -> None:
        """Take note that it closed the port."""
        self._lose()
        self.panel.closed()

    def _lose(self) -> None:
        self._rest, self._late = b"", None

    # -- to the instrument ------------------------------------------------------------

    def take(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self._off is not None:
            return
        if not self.bench.faults.about(self.panel.name) and self._late is None:
            data, self._rest = self._rest + data, b""
            self._hear(data)
            return
        messages, self._rest = self.panel.cut(self._rest + data)
        if not self._arrive_all(deque(messages)):
            self._rest = b""
        if len(self._rest) > LONGEST:
            rest, self._rest = self._rest, b""
            self._hear(rest)

    def _arrive_all(self, messages: deque[Message]) -> bool:
        """Pass messages on in order; return False where the last of them do not arrive."""
        while messages:
            if self._late is not None:
                self._late.extend(messages)
                return True
            if not self._arrive(messages.popleft()):
                return False
        return True

    def _arrive(self, message: Message) -> bool:
        """Pass a message on; return False where nothing behind it arrives."""
        text = message.text
        self._give_up()
        one = self.bench.faults.choose(self.panel.name, text) if text else None
        if one is None:
            self._hear(message.data)
            return True
        kind = one.rule.kind
        if kind in SIDED and one.rule.side == "command":
            return self._spoil_command(one, message)
        if kind == "disconnect":
            self._note(one, text)
            self._hear(message.data)
            self._unplug(one)
            return False
        if kind in SIDED or kind == "stale_reply":
            self._await(one, message)
            return True
        self._note(one, text)
        if kind == "power_cycle":
            self._cut_power(one.rule.seconds)
            return False
        self._misbehave(kind, message.data)
        return True

    def _spoil_command(self, one: Stated, message: Message) -> bool:
        kind, data = one.rule.kind, message.data
        spoiled = self.panel.with_wrong_checksum(data)
        if kind == "wrong_checksum" and spoiled is None:
            one.fired -= 1
            self._hear(data)
            return True
        self._note(one, message.text)
        if kind == "delay":
            self._hold(message, one.rule.seconds)
        elif kind == "disconnect":
            self._unplug(one)
            return False
        elif kind == "garble":
            self._hear(self._garbled(data, JUNK))
        elif kind == "truncate":
            self._hear(self._cut_short(data))
        elif kind == "duplicate":
            self._hear(data)
            self._hear(data)
        elif kind == "wrong_checksum" and spoiled is not None:
            self._hear(spoiled)
        return True

    def _misbehave(self, kind: str, data: bytes) -> None:
        if kind == "echo":
            self.bench.transmit(self.panel, data)
            self._hear(data)
            return
        panel = self.panel
        act = {
            "busy": panel.hang,
            "refuse": panel.refuse,
            "device_fault": panel.break_down,
        }[kind]
        self._hearing = True
        try:
            act(data)
        finally:
            self._hearing = False

    def _hear(self, data: bytes) -> None:
        """Let the panel have bytes; what it says meanwhile is no late answer."""
        self._hearing, self._more = True, False
        try:
            self.panel.receive(data)
        finally:
            self._hearing = self._more = False

    def _hold(self, message: Message, seconds: float) -> None:
        """Have a message arrive late, and what comes after it behind it."""
        late: deque[Message] = deque()
        self._late = late

        def arrive() -> None:
            if self._late is not late:
                return
            self._late = None
            self._hear(message.data)
            self._arrive_all(late)

        self.bench.later(seconds, arrive)

    # -- from the instrument ----------------------------------------------------------

    def _await(self, one: Stated, message: Message) -> None:
        """Hear a message whose reply is to be hit, now or when it comes."""
        asked = self.panel.asked
        self._said = []
        try:
            self._hear(message.data)
        finally:
            said, self._said = self._said, None
        if said:
            data = b"".join(piece for piece, _ in said)
            self._spoil_reply(one, message.text, data, said[0][1])
        elif self.panel.asked > max(asked, self.panel.answered):
            self._awaited[self.panel.asked] = one, message.text
        else:
            one.fired -= 1

    def leave(self, data: bytes, after: float) -> None:
        """Take what the panel says, ``after`` bench seconds from now."""
        if self._off is not None:
            return
        if self._said is not None:
            self._said.append((data, after))
            return
        awaited = self._due()
        if awaited is None:
            self._last = self._last + data if self._more else data
            self._more = self._hearing
            self.bench.transmit(self.panel, data, after)
        else:
            self._spoil_reply(*awaited, data, after)

    def _due(self) -> tuple[Stated, str] | None:
        """Return the fault of the answer that the panel is giving now, if it has one."""
        if self._hearing:
            return None
        self._give_up()
        return self._awaited.pop(self.panel.answered + 1, None)

    def _give_up(self) -> None:
        """Forget faults of answers that never came: they did not happen."""
        for number in [one for one in self._awaited if one <= self.panel.answered]:
            stated, _ = self._awaited.pop(number)
            stated.fired -= 1

    def _spoil_reply(self, one: Stated, text: str, data: bytes, after: float) -> None:
        kind, last = one.rule.kind, self._last
        self._last = data
        pieces: list[bytes] | None = {
            "drop": [],
            "delay": [data],
            "duplicate": [data, data],
        }.get(kind)
        if kind == "garble":
            pieces = [self._garbled(data, bytes(range(*NOISE)))]
        elif kind == "truncate":
            pieces = [self._cut_short(data)]
        elif kind == "stale_reply" and last:
            pieces = [last]
        elif kind == "wrong_checksum":
            spoiled = self.panel.with_wrong_checksum(data)
            pieces = None if spoiled is None else [spoiled]
        if pieces is None:
            one.fired -= 1
            pieces = [data]
        else:
            self._note(one, text)
        late = one.rule.seconds if kind == "delay" else 0.0
        for piece in pieces:
            self.bench.transmit(self.panel, piece, after + late)

    # -- noise, plugs, power ----------------------------------------------------------

    def _garbled(self, data: bytes, noise: bytes) -> bytes:
        rng = self.bench.rng(f"faults {self.panel.name}")
        places = [place for place, byte in enumerate(data) if byte not in FRAME]
        if not places:
            return data
        hit = {places[int(rng.integers(len(places)))]}
        hit |= {place for place in places if rng.random() < SPOILED}
        return bytes(
            noise[int(rng.integers(len(noise)))] if place in hit else byte
            for place, byte in enumerate(data)
        )

    def _cut_short(self, data: bytes) -> bytes:
        whole = len(data.rstrip(FRAME + b" "))
        rng = self.bench.rng(f"faults {self.panel.name}")
        return data[: int(rng.integers(1, whole))] if whole > 1 else b""

    def _unplug(self, one: Stated) -> None:
        self._lose()
        self.bench.unplug(self.panel.wire, one.rule.seconds)

    def _cut_power(self, seconds: float) -> None:
        self._lose()
        self._awaited.clear()
        token = self._off = object()
        self.panel.lose_power()

        def power_on() -> None:
            if self._off is token:
                self._off = None
                self.panel.get_power()

        self.bench.later(seconds, power_on)

    def _note(self, one: Stated, text: str) -> None:
        side = {"side": one.rule.side} if one.rule.kind in SIDED else {}
        self.panel.note("fault", kind=one.rule.kind, command=text, **side)
