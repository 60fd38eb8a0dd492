"""What can be said to a Cavro pump; `cavro_pump` tells what it means. No threads."""

from __future__ import annotations

from instruments.cavro_framing import Dt, Framing
from instruments.errors import (
    BadReply,
    DeviceError,
    Fault,
    LinkTimeout,
    Rejected,
    Restarted,
)
from instruments.framing import DtAnswer
from instruments.link import Link

NOT_INITIALISED = 7
WHILE_BUSY = 15
TERMINATING = 0.2
"""Real seconds, of the few milliseconds that an answer takes."""

ERRORS = {
    1: "initialisation failed",
    2: "invalid command",
    3: "invalid operand",
    4: "invalid command sequence",
    6: "EEPROM failure",
    7: "not initialised",
    9: "plunger overload (back pressure)",
    10: "valve overload",
    11: "plunger move not allowed with this valve position",
    WHILE_BUSY: "command while busy",
}
FAULTS = {1, 6, 9, 10}


class CavroClient:
    """Words on the wire; no threads."""

    def __init__(
        self, link: Link, address: int = 1, framing: Framing | None = None
    ) -> None:
        self.link = link
        self.address = chr(ord("0") + address)
        self.framing = framing or Dt()

    def ask(self, data: str) -> DtAnswer:
        """Send one string and return the answer, whatever error it tells."""
        return self.framing.ask(self.link, self.address, data)

    def acknowledged(self, data: str) -> DtAnswer:
        """Return the answer to what is no report, and so has no data."""
        return self._without_data(data, self.ask(data))

    def act(self, data: str) -> DtAnswer:
        """Return the answer to what must be executed only once."""
        return self._without_data(data, self.framing.act(self.link, self.address, data))

    def _without_data(self, data: str, answer: DtAnswer) -> DtAnswer:
        if answer.data:
            raise BadReply(
                f"{self.link.place}: {data!r} answered {answer.data!r}: a report"
            )
        return answer

    def command(self, data: str) -> None:
        """Send a string to be executed; returns when acknowledged, not when done."""
        self.check(data, self.act(data + "R"))

    def setting(self, data: str) -> None:
        """Send what may be sent again, because it only sets what it has set."""
        self.link.again(lambda: self.command(data))

    def report(self, data: str) -> str:
        """Return what a report command tells."""
        return self.link.again(lambda: self._report(data))

    def state(self) -> DtAnswer:
        """Return the answer to ``Q``, whatever error it tells; the error is gone then."""
        return self.link.again(lambda: self.acknowledged("Q"))

    def ready(self) -> bool:
        """Whether the last string has been carried out; raises the error that ended it."""
        answer = self.state()
        # A message that came twice: the first is carried out, the second was not taken.
        if answer.error == WHILE_BUSY:
            return answer.ready
        # While it initialises a pump is busy and, still, not initialised.
        if answer.ready or answer.error != NOT_INITIALISED:
            self.check("Q", answer)
        return answer.ready

    def check(self, data: str, answer: DtAnswer) -> None:
        if answer.error:
            kind: type[DeviceError] = Fault if answer.error in FAULTS else Rejected
            if answer.error == NOT_INITIALISED:
                kind = Restarted
            meaning = ERRORS.get(answer.error, "not in the manual")
            raise kind(
                f"{self.link.place}: {data!r} answered error {answer.error}: {meaning}"
            )

    def fine(self) -> None:
        """Count eight increments where there is one otherwise."""
        self.setting("N1")

    def resolution(self) -> int:
        """Return the resolution mode of an XLP; raises `BadReply` where there is none."""
        return self._whole("?28")

    def initialised(self) -> bool:
        """Whether moves are accepted; moves nothing."""
        answer = self.link.again(lambda: self.acknowledged("P0R"))
        if answer.error == NOT_INITIALISED:
            return False
        self.check("P0", answer)
        return True

    def initialise(self, force: int, inlet: int, outlet: int) -> None:
        """Find the top of the plunger, emptying the syringe into a port."""
        # A previous error must not end the new initialisation before it has begun.
        self.state()
        answer = self.act(f"Z{force},{inlet},{outlet}R")
        if answer.error != NOT_INITIALISED:
            self.check("Z", answer)

    def plunger(self, increments: int) -> None:
        self.command(f"A{increments}")

    def valve(self, port: int) -> None:
        self.command(f"I{port}")

    def speed(self, pulses: int) -> None:
        self.setting(f"V{pulses}")

    def position(self) -> int:
        """Return the plunger's place, in increments."""
        return self._whole("?")

    def port(self) -> int:
        return self._whole("?6")

    def top_speed(self) -> int:
        """Return the top speed, in pulses/s."""
        return self._whole("?2")

    def firmware(self) -> str:
        return self.report("?23")

    def terminate(self) -> None:
        """Stop the plunger now, whatever is being asked by another thread."""
        self.framing.cry(self.link, self.address, "T")
        # Its answer must not be taken for that of the next question.
        if self.link.lock.acquire(timeout=TERMINATING):
            try:
                self.framing.swallow(self.link, TERMINATING)
            except (LinkTimeout, BadReply):
                pass
            finally:
                self.link.lock.release()

    def _whole(self, data: str) -> int:
        def once() -> int:
            text = self._report(data)
            if not text.isdecimal():
                raise BadReply(
                    f"{self.link.place}: {data!r} answered {text!r}, not a whole number"
                )
            return int(text)

        return self.link.again(once)

    def _report(self, data: str) -> str:
        answer = self.ask(data)
        if answer.error in FAULTS:
            self.check(data, answer)
        if not answer.data:
            raise BadReply(f"{self.link.place}: {data!r} answered no data")
        return answer.data
