"""What can be said to an ODrive; `odrive_spin_coater` tells what it means. No threads."""

from __future__ import annotations

import math
from functools import reduce

from instruments.errors import BadReply, Fault, Rejected
from instruments.framing import number, plain
from instruments.link import Link

END = b"\r\n"
IDLE, CALIBRATION, CLOSED_LOOP = 1, 3, 8

AXIS_ERRORS = {
    0x1: "invalid state",
    0x40: "motor",
    0x80: "sensorless estimator",
    0x100: "encoder",
    0x200: "controller",
    0x800: "watchdog",
    0x4000: "emergency stop",
    0x40000: "over-temperature",
    0x80000: "unknown position",
}
CONTROLLER_ERRORS = {
    0x1: "overspeed",
    0x2: "invalid input mode",
    0x4: "unstable gain",
    0x20: "invalid estimate",
    0x80: "spin-out",
}
MOTOR_ERRORS = {
    0x1: "phase resistance",
    0x2: "phase inductance",
    0x8: "driver fault",
    0x400: "current sense saturation",
    0x1000: "current limit violation",
}
SOURCES = {
    "axis0": AXIS_ERRORS,
    "axis0.motor": MOTOR_ERRORS,
    "axis0.encoder": {},
    "axis0.controller": CONTROLLER_ERRORS,
}


class ODriveClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def identity(self) -> dict[str, str]:
        """Return hardware, firmware and serial number by the names that ``i`` uses."""

        def once() -> dict[str, str]:
            answers = self.link.ask_lines(
                checked("i"),
                lambda line: not line.startswith((b"Hardware", b"Firmware")),
                end=END,
            )
            told = [self._unpacked("i", one).partition(": ") for one in answers]
            if told[0][0] != "Hardware version":
                raise BadReply(f"{self.link.place}: 'i' answered {answers[0]!r}")
            return {name: value for name, _, value in told}

        return self.link.again(once)

    def read(self, name: str) -> float:
        """Return a property that is no whole number."""
        return self._value(name, whole=False)

    def read_whole(self, name: str) -> int:
        """Return a property that is a whole number, or yes or no."""
        return int(self._value(name, whole=True))

    def write(self, name: str, value: float) -> None:
        """Write a property; a success is not answered."""
        text = f"{value}" if isinstance(value, int) else f"{value:.6f}"
        self._tell(f"w {name} {text}")

    def configure(self, name: str, value: float) -> None:
        """Write a property and read it again, in case it was refused or not heard."""
        for _ in range(2):
            with self.link.lock:
                self.write(name, value)
                told = self._value(name, whole=isinstance(value, int))
            if math.isclose(told, value, rel_tol=1e-5, abs_tol=1e-5):
                return
        raise Fault(f"{self.link.place}: {name} is {told:g}, not {value:g}")

    def estimates(self) -> tuple[float, float]:
        """Return what the encoder says: turns, and turns/s."""

        def once() -> tuple[float, float]:
            words = self._ask("f 0").split()
            if len(words) != 2:
                raise BadReply(f"{self.link.place}: 'f 0' answered {words}")
            place = self.link.place
            turns, speed = (number(word.encode(), place=place) for word in words)
            return turns, speed

        return self.link.again(once)

    def state(self) -> int:
        return self.read_whole("axis0.current_state")

    def request(self, state: int) -> None:
        """Ask for an axis state; it is reached later, or not."""
        self.write("axis0.requested_state", state)

    def errors(self) -> str:
        """Return what is wrong, in words; ``""`` if nothing is."""
        if not self.read_whole("axis0.error"):
            return ""
        found = []
        for source, bits in SOURCES.items():
            if mask := self.read_whole(f"{source}.error"):
                known = ", ".join(text for bit, text in bits.items() if mask & bit)
                found.append(f"{source}.error {mask:#x} ({known or 'not listed'})")
        return "; ".join(found)

    def clear(self) -> None:
        """Forget the errors."""
        self._tell("sc")

    def go_to(self, turns: float) -> None:
        """Turn to an absolute place, gently."""
        self._tell(f"t 0 {turns:.6f}")

    def goal(self) -> float:
        """Return the place that it was told to turn to."""
        return self.read("axis0.controller.input_pos")

    def guard(self, seconds: float) -> None:
        """Arm the watchdog."""
        self.configure("axis0.config.watchdog_timeout", float(seconds))
        self.feed()
        self.configure("axis0.config.enable_watchdog", 1)

    def unguard(self) -> None:
        """Disarm the watchdog."""
        self.configure("axis0.config.enable_watchdog", 0)

    def feed(self) -> None:
        """Feed the watchdog; not answered."""
        self._tell("u 0")

    def coast(self) -> None:
        """Take the current off the motor, now."""
        self.link.tell(b"w axis0.requested_state 1\n", urgent=True)

    def _tell(self, text: str) -> None:
        self.link.tell(checked(plain(text, place=self.link.place).decode()))

    def _ask(self, text: str) -> str:
        """Ask once; return the answer, accepted and without its checksum."""
        message = checked(plain(text, place=self.link.place).decode())
        answer = self._unpacked(text, self.link.ask(message, end=END))
        if answer.startswith(("invalid", "unknown", "not implemented")):
            raise Rejected(f"{self.link.place}: {text!r} answered {answer!r}")
        return answer

    def _value(self, name: str, *, whole: bool) -> float:
        def once() -> float:
            answer = self._ask(f"r {name}")
            if whole != answer.lstrip("-").isdecimal():
                kind = "a whole number" if whole else "a decimal number"
                raise BadReply(
                    f"{self.link.place}: {name} answered {answer!r}, not {kind}"
                )
            return number(answer.encode(), place=f"{self.link.place}: {name}")

        return self.link.again(once)

    def _unpacked(self, question: str, answer: bytes) -> str:
        text = answer.decode("ascii", "replace")
        body, _, check = text.rpartition("*")
        if not text.isascii() or check.strip() != str(checksum(body)):
            raise BadReply(
                f"{self.link.place}: {question!r} answered {answer!r}: wrong checksum"
            )
        return body


def checksum(text: str) -> int:
    """Return the exclusive or of all characters.

    Examples
    --------
    >>> checksum("r vbus_voltage ")
    93
    """
    return reduce(lambda total, letter: total ^ ord(letter), text, 0)


def checked(text: str) -> bytes:
    """Return a line with its checksum."""
    return f"{text}*{checksum(text)}\n".encode("ascii")
