"""The G-code that GRBL 1.1 understands: one line in, actions out, or an error number.

Checks in the order of the firmware (``gcode.c``); lengths in mm, feeds in mm/min.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

from sims.spec import Position

INCH = 25.4
AXES = "XYZ"
WORD = re.compile(r"([A-Z])([-+]?(?:\d+\.?\d*|\.\d+))?")
HIGHEST_LINE = 10_000_000
HIGHEST_TOOL = 255
ARC_TOLERANCE = 0.5
ARC_SHARE = 0.001
ARC_SMALL = 0.005

G_GROUPS: dict[str, tuple[float, ...]] = {
    "motion": (0, 1, 2, 3, 38.2, 38.3, 38.4, 38.5, 80),
    "once": (4, 10, 28, 28.1, 30, 30.1, 53, 92, 92.1),
    "plane": (17, 18, 19),
    "distance": (90, 91),
    "arc distance": (91.1,),
    "feed": (93, 94),
    "units": (20, 21),
    "cutter": (40,),
    "tool length": (43.1, 49),
    "system": (54, 55, 56, 57, 58, 59),
    "control": (61,),
}
M_GROUPS: dict[str, tuple[float, ...]] = {
    "flow": (0, 1, 2, 30),
    "spindle": (3, 4, 5),
    "coolant": (7, 8, 9),
}
PLANES = {17: (0, 1, 2), 18: (2, 0, 1), 19: (1, 2, 0)}
OFFSETS = "IJK"


class Refused(Exception):
    """GRBL answers ``error:N``."""

    def __init__(self, number: int) -> None:
        super().__init__(f"error:{number}")
        self.number = number


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: ``kind`` and what belongs to it."""

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Modal:
    """What stays in force from line to line."""

    motion: float = 0
    system: float = 54
    plane: float = 17
    units: float = 21
    distance: float = 90
    feed_mode: float = 94
    spindle: float = 5
    flood: bool = False
    mist: bool = False
    tool: float = 0
    feed: float = 0.0
    speed: float = 0.0

    def report(self) -> str:
        """Return the text between ``[GC:`` and ``]``."""
        coolant = ["M7"] * self.mist + ["M8"] * self.flood or ["M9"]
        feed = self.feed / INCH if self.units == 20 else self.feed
        words = [
            f"G{self.motion:g}",
            f"G{self.system:g}",
            f"G{self.plane:g}",
            f"G{self.units:g}",
            f"G{self.distance:g}",
            f"G{self.feed_mode:g}",
            f"M{self.spindle:g}",
            *coolant,
            f"T{self.tool:g}",
            f"F{feed:.0f}",
            f"S{self.speed:.0f}",
        ]
        return " ".join(words)


class Interpreter:
    """GRBL's parser: its modal state, coordinate systems and planned position."""

    def __init__(self) -> None:
        self.systems: dict[str, list[float]] = {
            name: [0.0, 0.0, 0.0]
            for name in ("G54", "G55", "G56", "G57", "G58", "G59", "G28", "G30")
        }
        self.position: Position = (0.0, 0.0, 0.0)
        self.reset()

    def reset(self) -> None:
        """Forget what a soft reset forgets."""
        self.modal = Modal()
        self.shift = [0.0, 0.0, 0.0]
        self.tool_length = 0.0

    def set_coolant(self, *, flood: bool, mist: bool) -> None:
        """Take over what a real-time character switched."""
        self.modal = replace(self.modal, flood=flood, mist=mist)

    @property
    def offset(self) -> Position:
        """Machine position minus work position."""
        system = self.systems[f"G{self.modal.system:g}"]
        x, y, z = (a + b for a, b in zip(system, self.shift, strict=True))
        return x, y, z + self.tool_length

    def read(self, line: str, *, jog: bool = False) -> list[Action]:
        """Return what a line asks for; changes the modal state only if it is right."""
        codes, words = split(line)
        if jog:
            return self._jog(codes, words)
        modal = self._modal(codes, words)
        actions = self._block(codes, words, modal)
        if words:
            raise Refused(36)
        return actions

    # -- one line -------------------------------------------------------------------

    def _modal(self, codes: dict[str, float], words: dict[str, float]) -> Modal:
        """Return the state after the line's codes, before its motion."""
        modal = self.modal
        if "N" in words and words.pop("N") > HIGHEST_LINE:
            raise Refused(27)
        units = codes.get("units", modal.units)
        scale = INCH if units == 20 else 1.0
        for letter in "FIJKRXYZ":
            if letter in words:
                words[letter] *= scale
        feed_mode = codes.get("feed", modal.feed_mode)
        feed = words.pop("F", None)
        if feed is None:
            feed = modal.feed if feed_mode == modal.feed_mode == 94 else 0.0
        tool = words.pop("T", modal.tool)
        if tool > HIGHEST_TOOL:
            raise Refused(38)
        coolant = codes.get("coolant")
        return replace(
            modal,
            motion=codes.get("motion", modal.motion),
            system=codes.get("system", modal.system),
            plane=codes.get("plane", modal.plane),
            units=units,
            distance=codes.get("distance", modal.distance),
            feed_mode=feed_mode,
            spindle=codes.get("spindle", modal.spindle),
            mist=coolant == 7 or (modal.mist and coolant != 9),
            flood=coolant == 8 or (modal.flood and coolant != 9),
            tool=tool,
            feed=feed,
            speed=words.pop("S", modal.speed),
        )

    def _block(
        self, codes: dict[str, float], words: dict[str, float], modal: Modal
    ) -> list[Action]:
        before = self.modal
        once = codes.get("once")
        axes = [axis for axis in AXES if axis in words]
        takes_axes = once in (10, 28, 30, 92) or "tool length" in codes
        if takes_axes and "motion" in codes and codes["motion"] != 80:
            raise Refused(24)
        actions = []
        if modal.spindle != before.spindle or modal.speed != before.speed:
            actions.append(Action("spindle"))
        if (modal.flood, modal.mist) != (before.flood, before.mist):
            actions.append(
                Action("coolant", {"flood": modal.flood, "mist": modal.mist})
            )
        if once == 4:
            if "P" not in words:
                raise Refused(28)
            actions.append(Action("dwell", {"seconds": words.pop("P")}))
        if once == 53 and modal.motion not in (0, 1):
            raise Refused(30)
        kept = self.modal, list(self.shift), self.tool_length
        self.modal = modal
        try:
            actions += self._lengths(codes, words)
            if takes_axes or once in (28.1, 30.1, 92.1):
                actions += self._once(once, codes, words)
            elif axes or "motion" in codes:
                actions += self._motion(codes, words, absolute=once == 53)
        except Refused:
            self.modal, self.shift, self.tool_length = kept
            raise
        if words:
            self.modal, self.shift, self.tool_length = kept
            raise Refused(36)
        return actions + self._flow(codes.get("flow"))

    def _lengths(
        self, codes: dict[str, float], words: dict[str, float]
    ) -> list[Action]:
        code = codes.get("tool length")
        if code == 49:
            self.tool_length = 0.0
        elif code is not None:
            if [axis for axis in AXES if axis in words] != ["Z"]:
                raise Refused(37)
            self.tool_length = words.pop("Z")
        return [Action("changed")] if code is not None or "system" in codes else []

    def _flow(self, code: float | None) -> list[Action]:
        if code is None:
            return []
        if code in (0, 1):
            return [Action("pause")] if code == 0 else []
        self.modal = replace(
            Modal(), units=self.modal.units, feed=self.modal.feed, motion=1
        )
        return [Action("coolant", {"flood": False, "mist": False}), Action("end")]

    def _target(self, words: dict[str, float], *, absolute: bool = False) -> Position:
        target = list(self.position)
        for index, axis in enumerate(AXES):
            if axis not in words:
                continue
            value = words.pop(axis)
            if absolute:
                target[index] = value
            elif self.modal.distance == 90:
                target[index] = value + self.offset[index]
            else:
                target[index] += value
        return target[0], target[1], target[2]

    def _once(
        self, once: float | None, codes: dict[str, float], words: dict[str, float]
    ) -> list[Action]:
        if once is None:
            return []
        if once in (28, 30):
            via = self._target(words)
            home = self.systems[f"G{once:g}"]
            moves = [] if via == self.position else [self._move(via, rapid=True)]
            return [*moves, self._move((home[0], home[1], home[2]), rapid=True)]
        if once in (28.1, 30.1):
            self.systems[f"G{math.floor(once)}"] = list(self.position)
        elif once == 92.1:
            self.shift = [0.0, 0.0, 0.0]
        else:
            if not any(axis in words for axis in AXES):
                raise Refused(26)
            self._set_origin(once, words)
        return [Action("changed")]

    def _set_origin(self, once: float, words: dict[str, float]) -> None:
        if once == 92:
            for index, axis in enumerate(AXES):
                if axis in words:
                    total = self.position[index] - words.pop(axis)
                    self.shift[index] += total - self.offset[index]
            return
        if "P" not in words or "L" not in words:
            raise Refused(28)
        number, mode = words.pop("P"), words.pop("L")
        if mode not in (2, 20):
            raise Refused(20)
        if number not in range(7):
            raise Refused(29)
        name = f"G{53 + number:g}" if number else f"G{self.modal.system:g}"
        for index, axis in enumerate(AXES):
            if axis in words:
                value = words.pop(axis)
                if mode == 20:
                    value = self.position[index] - self.shift[index] - value
                self.systems[name][index] = value

    def _motion(
        self, codes: dict[str, float], words: dict[str, float], *, absolute: bool
    ) -> list[Action]:
        code = self.modal.motion
        axes = [axis for axis in AXES if axis in words]
        if code == 80:
            if axes:
                raise Refused(31)
            return []
        if code in (0, 1) and not axes:
            return []
        if code != 0 and self.modal.feed == 0.0:
            raise Refused(22)
        if code in (0, 1):
            return [self._move(self._target(words, absolute=absolute), rapid=code == 0)]
        if code in (2, 3):
            return [self._arc(words, axes, clockwise=code == 2)]
        if not axes:
            raise Refused(26)
        target = self._target(words)
        if target == self.position:
            raise Refused(33)
        return [
            Action(
                "probe", {"move": self._move(target), "strict": code in (38.2, 38.4)}
            )
        ]

    def _move(self, target: Position, *, rapid: bool = False) -> Action:
        facts = {"from": self.position, "to": target, "rapid": rapid}
        facts["feed"] = self._feed(math.dist(self.position, target))
        self.position = target
        return Action("move", facts)

    def _feed(self, length: float) -> float:
        """Return mm/min; in inverse-time mode F is one over the minutes of the block."""
        inverse = self.modal.feed_mode == 93
        return self.modal.feed * length if inverse else self.modal.feed

    def _arc(
        self, words: dict[str, float], axes: list[str], *, clockwise: bool
    ) -> Action:
        first, second, along = PLANES[int(self.modal.plane)]
        if AXES[first] not in axes and AXES[second] not in axes:
            raise Refused(32)
        here = self.position
        there = self._target(words)
        across = there[first] - here[first], there[second] - here[second]
        if "R" in words:
            centre = self._centre(words.pop("R"), across, clockwise=clockwise)
        else:
            names = OFFSETS[first], OFFSETS[second]
            if not any(name in words for name in names):
                raise Refused(35)
            centre = words.pop(names[0], 0.0), words.pop(names[1], 0.0)
            end = math.hypot(across[0] - centre[0], across[1] - centre[1])
            gap = abs(end - math.hypot(*centre))
            if gap > ARC_SMALL and (gap > ARC_TOLERANCE or gap > ARC_SHARE * end):
                raise Refused(33)
        begin = math.atan2(-centre[1], -centre[0])
        turn = math.atan2(across[1] - centre[1], across[0] - centre[0]) - begin
        if clockwise and turn >= -5e-7:
            turn -= 2 * math.pi
        elif not clockwise and turn <= 5e-7:
            turn += 2 * math.pi
        self.position = there
        facts: dict[str, Any] = {
            "from": here,
            "to": there,
            "turn": turn,
            "rapid": False,
        }
        facts["centre"] = here[first] + centre[0], here[second] + centre[1]
        facts["axes"] = first, second, along
        facts["feed"] = self._feed(math.hypot(*centre) * abs(turn))
        return Action("arc", facts)

    @staticmethod
    def _centre(
        radius: float, across: tuple[float, float], *, clockwise: bool
    ) -> tuple[float, float]:
        x, y = across
        chord = math.hypot(x, y)
        if chord == 0.0:
            raise Refused(33)
        square = 4 * radius**2 - chord**2
        if square < 0.0:
            raise Refused(34)
        h = -math.sqrt(square) / chord
        if not clockwise:
            h = -h
        if radius < 0.0:
            h = -h
        return 0.5 * (x - y * h), 0.5 * (y + x * h)

    def _jog(self, codes: dict[str, float], words: dict[str, float]) -> list[Action]:
        allowed = {"units", "distance", "once"}
        if set(codes) - allowed or codes.get("once", 53) != 53:
            raise Refused(16)
        words.pop("N", None)
        if not any(axis in words for axis in AXES):
            raise Refused(26)
        if "F" not in words:
            raise Refused(22)
        scale = INCH if codes.get("units", self.modal.units) == 20 else 1.0
        for letter in "FXYZ":
            if letter in words:
                words[letter] *= scale
        modal, here = self.modal, self.position
        distance = codes.get("distance", modal.distance)
        self.modal = replace(modal, distance=distance, feed=words.pop("F"))
        move = self._move(self._target(words, absolute="once" in codes))
        self.modal = modal
        if words:
            self.position = here
            raise Refused(36)
        return [move]


def split(line: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the codes of a line by modal group, and its other words by letter."""
    codes: dict[str, float] = {}
    words: dict[str, float] = {}
    place = 0
    while place < len(line):
        match = WORD.match(line, place)
        if match is None:
            raise Refused(1)
        if match[2] is None:
            raise Refused(2)
        letter, value = match[1], float(match[2])
        place = match.end()
        if letter in "GM":
            group = code_group(letter, value)
            if group in codes:
                raise Refused(21)
            codes[group] = value
            continue
        if letter not in "FIJKLNPRSTXYZ":
            raise Refused(20)
        if letter in words:
            raise Refused(25)
        if letter in "FNPTS" and value < 0.0:
            raise Refused(4)
        words[letter] = value
    return codes, words


def code_group(letter: str, value: float) -> str:
    """Return the modal group of a G or M code."""
    if letter == "M" and value != int(value):
        raise Refused(23)
    for group, members in (G_GROUPS if letter == "G" else M_GROUPS).items():
        if value in members:
            return group
    raise Refused(29 if letter == "G" and 59 < value < 60 else 20)
